// RAND_METHOD is the one way to reach what every library context draws. It is deprecated for
// those who want a generator for one context.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "keyring/openssl_random.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <span>

namespace gaiter {
namespace {

// For sandboxes that refuse getrandom(2).
bool read_device(std::span<uint8_t> out) {
  const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  while (!out.empty()) {
    const ssize_t got = read(fd, out.data(), out.size());
    if (got > 0) out = out.subspan(static_cast<size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  close(fd);
  return out.empty();
}

bool fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got > 0) {
      out = out.subspan(static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return read_device(out);
    }
  }
  return true;
}

int draw(unsigned char* out, int length) {
  if (length < 0) return 0;
  const int saved_errno = errno;
  const bool filled = fill({out, static_cast<size_t>(length)});
  errno = saved_errno;
  return filled ? 1 : 0;
}

int is_seeded() { return 1; }

constexpr RAND_METHOD method{nullptr, draw, nullptr, nullptr, draw, is_seeded};

}  // namespace

void install_openssl_random() { RAND_set_rand_method(&method); }

}  // namespace gaiter
