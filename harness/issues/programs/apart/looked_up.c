// looked_up PORT SECRET LIBRARY: connects to an echo server and sends SECRET by each function that
// a look-up by name gives, also from within LIBRARY (looking_up.c), and says how each went.
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef ssize_t (*Send)(int, const void*, size_t, int);

static int fd;
static const char* secret;

static void say(const char* way, void* found) {
  if (found == NULL) {
    printf("%s not found\n", way);
    return;
  }
  char echo[200] = "";
  size_t length = strlen(secret);
  ssize_t sent = ((Send)found)(fd, secret, length, 0);
  if (sent == (ssize_t)length) recv(fd, echo, length, MSG_WAITALL);
  printf("%s %s\n", way, sent == -42 ? "its own" : strcmp(echo, secret) == 0 ? "echoed" : "lost");
}

int main(int count, char** words) {
  if (count != 4) return 2;
  secret = words[2];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *found;
  if (getaddrinfo("localhost", words[1], &hints, &found) != 0) return 1;
  fd = socket(found->ai_family, found->ai_socktype, 0);
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) return 1;

  void* library = dlopen(words[3], RTLD_NOW);
  void* depends = dlopen("libpthread.so.0", RTLD_NOW);  // on libc, and has nothing of its own
  if (library == NULL || depends == NULL) return 1;
  void* (*look_up)(void*, const char*) = (void* (*)(void*, const char*))dlsym(library, "look_up");
  void* (*look_up_version)(void*, const char*, const char*) =
      (void* (*)(void*, const char*, const char*))dlsym(library, "look_up_version");

  say("the first", dlsym(RTLD_DEFAULT, "send"));
  say("the next", dlsym(RTLD_NEXT, "send"));
  say("a dependency's", dlsym(depends, "send"));
  say("a version", dlvsym(RTLD_DEFAULT, "send", VERSION));
  say("a dependency's version", dlvsym(depends, "send", VERSION));
  say("no version", dlvsym(depends, "send", "GLIBC_9.9"));
  say("a second name", dlsym(depends, "__send"));
  say("by dlsym itself", ((void* (*)(void*, const char*))dlsym(depends, "dlsym"))(depends, "send"));
  say("the library's next", look_up(RTLD_NEXT, "__send"));
  say("the library's next of its own", look_up(RTLD_NEXT, "send"));
  say("the library's version", look_up_version(RTLD_NEXT, "__send", VERSION));
  say("the library's", dlsym(library, "send"));
  printf("others %d %d\n", dlsym(depends, "getpid") == (void*)getpid,
         dlsym(depends, "there is none") == NULL && strstr(dlerror(), "there is none") != NULL);
  return 0;
}
