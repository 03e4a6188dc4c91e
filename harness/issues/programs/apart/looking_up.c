// A library that has a send() of its own, and looks functions up itself.
#include <dlfcn.h>
#include <sys/socket.h>

ssize_t send(int fd, const void* data, size_t length, int flags) {
  (void)fd, (void)data, (void)length, (void)flags;
  return -42;
}

// A call in tail position would hide from RTLD_NEXT who calls.
void* look_up(void* library, const char* name) {
  void* volatile found = dlsym(library, name);
  return found;
}

void* look_up_version(void* library, const char* name, const char* version) {
  void* volatile found = dlvsym(library, name, version);
  return found;
}
