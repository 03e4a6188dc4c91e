// A library that is opened while the program runs, and sends.
#include <sys/socket.h>

long plugin_send(int fd, const void* data, unsigned long length) {
  return send(fd, data, length, 0);
}
