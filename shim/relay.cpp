#include "shim/relay.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/log.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/relay_end.h"
#include "shim/relay_loop.h"

namespace gaiter::shim {

namespace {

class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Forks twice, so that the relay is nobody's child: no wait(2) of the program
// meets it. Each fork takes references for its child (fd_table); those of the one
// in the middle are given back by who finds it gone.
bool fork_relay(int fd, int end) {
  const pid_t middle = real::fork();
  if (middle < 0) {
    fd_table::undo_fork();
    return false;
  }
  if (middle == 0) {
    const pid_t relay = real::fork();
    if (relay == 0) run_relay(fd, end);
    real::_exit(relay < 0 ? 1 : 0);
  }
  int status = 0;
  pid_t reaped;
  do {
    reaped = waitpid(middle, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  // A program that ignores SIGCHLD leaves no status; then the relay's life shows.
  return reaped < 0 || status == 0;
}

struct Numbers {
  const Slot* wanted;
  int end;
  uint32_t count;
  RelayEnd* stand_in;
};

bool is_sole_holder(Slot& wanted) {
  if (is_last_descriptor(wanted)) return true;
  Numbers numbers{&wanted, -1, 0, nullptr};
  fd_table::for_each(
      [](int, Slot& slot, void* context) {
        auto* const seen = static_cast<Numbers*>(context);
        seen->count += &slot == seen->wanted;
      },
      &numbers);
  return descriptors(wanted) == numbers.count;
}

}  // namespace

int start_relay(int fd) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  if (!is_blocking(fd)) real::fcntl(ends[0], F_SETFL, reinterpret_cast<void*>(O_NONBLOCK));
  bool started;
  {
    const AllSignalsBlocked blocked;
    started = fork_relay(fd, ends[1]);
  }
  const int error = errno;
  real::close(ends[1]);
  if (started) {
    RelayEnd::remember(ends[0], fd);
    return ends[0];
  }
  real::close(ends[0]);
  errno = error;
  return -1;
}

int move_to_relay(int fd) {
  const SlotRef slot = fd_table::find(fd);
  if (as_connection(slot) == nullptr) {
    errno = EBADF;
    return -1;
  }
  RelayEnd* const end = RelayEnd::make(fd);
  Numbers numbers{slot.get(), start_relay(fd), 0, end};
  if (numbers.end < 0 || end == nullptr) {
    arena::release(arena::Block::slot, end);
    if (numbers.end >= 0) real::close(numbers.end);
    return -1;
  }
  fd_table::for_each(
      [](int number, Slot& found, void* context) {
        const auto* const moving = static_cast<Numbers*>(context);
        if (&found != moving->wanted) return;
        const bool close_on_exec = fd_table::close_on_exec(number);
        fd_table::withdraw(number);
        real::dup3(moving->end, number, close_on_exec ? O_CLOEXEC : 0);
        fd_table::settle(number);
        // Without an entry it is a plain local socket: less, and no harm.
        static_cast<void>(fd_table::publish(number, *moving->stand_in));
        leave(found, Slot::descriptor);
      },
      &numbers);
  real::close(numbers.end);
  return 0;
}

void relay_inherited() {
  if (process::memory_is_borrowed()) return;  // what is to live on was moved by dup2
  fd_table::for_each(
      [](int fd, Slot& slot, void*) {
        if (slot.kind != Kind::connection) return;
        auto& connection = static_cast<Connection&>(slot);
        if (!connection.is_protected() || fd_table::close_on_exec(fd)) return;
        if (fd > 2 && !is_sole_holder(slot)) return;
        if (move_to_relay(fd) != 0)
          log::line(log::Level::warning,
                    "refused cause=local reason=\"no relay for {} at exec: {}\"", fd,
                    std::strerror(errno));
      },
      nullptr);
}

bool relay_passed(const msghdr* message) {
  if (message == nullptr || message->msg_controllen == 0) return true;
  for (const cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(message), const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (!fd_table::has(fd)) continue;
      const SlotRef slot = fd_table::find(fd);
      const Connection* const connection = as_connection(slot);
      if (connection == nullptr || !connection->is_protected()) continue;
      if (!process::memory_is_borrowed() && move_to_relay(fd) == 0) continue;
      log::line(
          log::Level::warning,
          "refused cause=local errno=EACCES reason=\"no relay for descriptor {}, which was to "
          "be passed on: {}\" advice=\"may the program fork (RLIMIT_NPROC)?\"",
          fd, std::strerror(errno));
      return false;
    }
  }
  return true;
}

}  // namespace gaiter::shim
