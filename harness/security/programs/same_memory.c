// Looks two names up that have one address, then connects with the very memory of the first.
// usage: same_memory FIRST SECOND PORT [free]: `free` gives that memory back and uses it anew
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct addrinfo* look_up(const char* name, const char* port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *found = NULL;
  if (getaddrinfo(name, port, &hints, &found) != 0) exit(2);
  return found;
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  struct addrinfo* first = look_up(argv[1], argv[3]);
  struct addrinfo* second = look_up(argv[2], argv[3]);
  struct sockaddr* address = first->ai_addr;
  const socklen_t length = first->ai_addrlen;
  if (argc > 4) {
    freeaddrinfo(first);
    // As an allocator does that hands the same memory out again.
    struct addrinfo* again = look_up("localhost", argv[3]);
    if (again->ai_addr != address) fputs("other memory\n", stderr);
    address = again->ai_addr;
  }
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, address, length) != 0) return perror("connect"), 1;
  puts("connected");
  freeaddrinfo(second);
  return 0;
}
