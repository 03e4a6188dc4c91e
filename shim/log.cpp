// {fmt} is compiled into this file alone; others need no more than its types.
#define FMT_HEADER_ONLY
// Without its use of std::locale, which brings 500 KiB of libstdc++ and constructors.
#define FMT_STATIC_THOUSANDS_SEPARATOR ','
#include "shim/log.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/trusted_walk.h"
#include "shim/fd_table.h"
#include "shim/real.h"
#include "shim/tcp.h"

namespace gaiter::shim::log {

namespace {

enum class Place : uint8_t { standard_error, syslog, file };

struct FileIdentity {
  dev_t device;
  ino_t inode;
  bool operator==(const FileIdentity&) const = default;
};

constinit std::atomic<Level> threshold = Level::notice;
constinit Place place = Place::standard_error;
constinit char path[1024] = "";
constinit std::atomic<uid_t> user = 0;  // geteuid(2)
constinit bool is_wrong = false;
constinit std::atomic<bool> standard_error_known = false;
constinit FileIdentity standard_error{};

constexpr std::string_view level_names[] = {"error", "warning", "notice", "info", "debug"};
constexpr int syslog_severity[] = {3, 4, 5, 6, 7};  // RFC 5424 6.2.1
constexpr int syslog_facility_daemon = 3;

bool identify(int fd, FileIdentity& identity, mode_t& mode) {
  struct stat status;
  if (fstat(fd, &status) != 0) return false;
  identity = {status.st_dev, status.st_ino};
  mode = status.st_mode;
  return true;
}

// A daemon may have closed descriptor 2 and got the number back for a socket or
// a database file: only what was standard error at start, or was put there by
// dup2, is written to. Never a connection (inetd's services have one there), nor
// the end of a relay: it is the peer that would read it.
bool standard_error_usable(mode_t& mode) {
  FileIdentity now;
  return standard_error_known.load(std::memory_order_acquire) && identify(2, now, mode) &&
         now == standard_error && !fd_table::has(2) && !is_tcp(2);
}

int close_foreign(int fd) { return real::close(fd); }

// Whoever read a pipe may have gone: that is not to end the program, by SIGPIPE, for what
// it did not write itself.
void write_to_pipe(int fd, const char* text, size_t length) {
  sigset_t broken, before;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken, &before);
  // Where the program itself blocks it, one may be pending that is its own.
  if (real::write(fd, text, length) < 0 && errno == EPIPE && sigismember(&before, SIGPIPE) == 0) {
    constexpr timespec at_once{};
    sigtimedwait(&broken, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// The program's, so its flags stay: what has no room now is lost. A line is shorter than
// PIPE_BUF, for which a pipe that is writable has room.
void write_to_standard_error(mode_t mode, const char* text, size_t length) {
  constexpr timespec at_once{};
  pollfd one{2, POLLOUT, 0};
  if (S_ISSOCK(mode)) {
    real::send(2, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  } else if (real::ppoll(&one, 1, &at_once, nullptr) <= 0) {
    return;
  } else if (S_ISFIFO(mode)) {
    write_to_pipe(2, text, length);
  } else {
    [[maybe_unused]] const ssize_t ignored = real::write(2, text, length);
  }
}

// The file may be led to by nobody who could not write the policy, too: what is appended to
// it is in part a peer's own words. A symbolic link in its own place is not followed.
int open_file() {
  const char* const name = std::strrchr(path, '/') + 1;
  char folder[sizeof path] = "/";
  if (name - path > 1) std::memcpy(folder, path, static_cast<size_t>(name - path - 1));
  base::TrustedWalk<sizeof path, close_foreign> way(user.load(std::memory_order_relaxed));
  // In a sticky directory a file of ours is ours.
  if (way.run(folder, true) != base::Verdict::trusted) return -1;
  const int directory = way.release();
  // Not a FIFO: it may have a reader that does not read.
  const int fd = openat(
      directory, name,
      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
  real::close(directory);
  struct stat status;
  if (fd >= 0 && fstat(fd, &status) == 0 &&
      (S_ISREG(status.st_mode) || S_ISCHR(status.st_mode)) &&
      base::verdict_on_owner(status, user.load(std::memory_order_relaxed)) ==
          base::Verdict::trusted)
    return fd;
  if (fd >= 0) real::close(fd);
  return -1;
}

// False if the file is not there for us: no descriptor is left, no way to it after chroot
// and setuid, or none that can be trusted.
bool write_to_file(const char* text, size_t length) {
  const int fd = open_file();
  if (fd < 0) return false;
  const bool written = real::write(fd, text, length) >= 0;
  real::close(fd);
  return written;
}

// RFC 3164 as /dev/log takes it; journald and every syslogd listen there.
void write_to_syslog(Level level, const char* text, size_t length) {
  const int fd = real::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "/dev/log");
  char head[16];
  const auto priority =
      fmt::format_to_n(head, sizeof head, "<{}>",
                       syslog_facility_daemon * 8 + syslog_severity[static_cast<size_t>(level)]);
  iovec pieces[2] = {{head, priority.size}, {const_cast<char*>(text), length}};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  real::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  real::close(fd);
}

// False: a word means nothing, and what it would say stays as it was.
bool parse(std::string_view setting) {
  const size_t colon = setting.find(':');
  const std::string_view level = setting.substr(0, colon);
  const std::string_view where = colon == std::string_view::npos ? "" : setting.substr(colon + 1);
  bool good = level.empty();
  for (size_t i = 0; i < std::size(level_names); ++i) {
    if (level != level_names[i]) continue;
    threshold = static_cast<Level>(i);
    good = true;
  }
  if (where == "syslog") {
    place = Place::syslog;
  } else if (where.starts_with('/') && where.size() < sizeof path) {
    where.copy(path, where.size());
    place = Place::file;
  } else {
    good = good && (where.empty() || where == "stderr");
  }
  return good;
}

}  // namespace

void start() {
  standard_error_moved();
  user_changed();
  if (getauxval(AT_SECURE) != 0) {
    place = Place::syslog;
    return;
  }
  if (const char* const setting = std::getenv("GAITER_LOG"); setting != nullptr)
    is_wrong = !parse(setting);
}

void say_what_is_wrong() {
  if (!is_wrong) return;
  is_wrong = false;
  const char* const setting = std::getenv("GAITER_LOG");
  line(Level::warning,
       "GAITER_LOG={}: it is LEVEL[:PLACE], with the level error, warning, info or debug, and the "
       "place stderr, syslog or the absolute path of a file; what is not so is not heeded",
       setting != nullptr ? setting : "");
}

void user_changed() { user.store(geteuid(), std::memory_order_relaxed); }

void standard_error_moved() {
  mode_t mode;
  standard_error_known.store(false, std::memory_order_release);
  if (identify(2, standard_error, mode))
    standard_error_known.store(true, std::memory_order_release);
}

bool wanted(Level level) { return level <= threshold.load(std::memory_order_relaxed); }

void write_line(Level level, fmt::string_view format, fmt::format_args arguments) {
  const int saved_errno = errno;
  char text[1400];
  char* const end = text + sizeof text - 1;
  char* at = fmt::format_to_n(text, sizeof text - 1, "gaiter[{}] {}: ", getpid(),
                              level_names[static_cast<size_t>(level)])
                 .out;
  const auto room = static_cast<size_t>(end - at);
  at += std::min(fmt::vformat_to_n(at, room, format, arguments).size, room);
  for (char* c = text; c != at;) {
    const size_t length = base::visible_length({c, static_cast<size_t>(at - c)});
    if (length == 0) *c = '?';
    c += std::max<size_t>(length, 1);
  }
  *at++ = '\n';
  const auto length = static_cast<size_t>(at - text);
  mode_t mode;
  if (place == Place::file && write_to_file(text, length)) {
    // A file was named, and has it.
  } else if (place != Place::syslog && standard_error_usable(mode)) {
    write_to_standard_error(mode, text, length);
  } else {
    write_to_syslog(level, text, length - 1);
  }
  errno = saved_errno;
}

}  // namespace gaiter::shim::log
