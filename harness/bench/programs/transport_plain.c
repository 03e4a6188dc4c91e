// The transport that is none: a program that knows nothing of TLS.
#include <unistd.h>

#include "transport.h"

// The fd plus one, so that fd 0 is not NULL.
static int fd_of(struct transport* t) { return (int)(size_t)t - 1; }

void transport_start(bool server, bool resume) { (void)server, (void)resume; }
struct transport* transport_accept(int fd) {
  return (struct transport*)(size_t)(fd + 1);
}
struct transport* transport_connect(int fd) {
  return (struct transport*)(size_t)(fd + 1);
}
bool transport_pending(struct transport* t) {
  (void)t;
  return false;
}
void transport_close(struct transport* t) { close(fd_of(t)); }
const char* transport_describe(void) { return ""; }

ssize_t transport_read(struct transport* t, void* buffer, size_t size) {
  return read(fd_of(t), buffer, size);
}

ssize_t transport_write(struct transport* t, const void* data, size_t size) {
  return write(fd_of(t), data, size);
}
