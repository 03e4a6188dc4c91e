#include "shim/relay.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "shim/call_wait.h"
#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/log.h"
#include "shim/orphan.h"
#include "shim/passed_descriptors.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/relay_end.h"
#include "shim/relay_loop.h"
#include "shim/relay_nursery.h"

namespace gaiter::shim {

namespace {

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

// What was set on the connection for the program's calls goes on with the end.
void take_options(int end, int fd) {
  for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    timeval time{};
    socklen_t length = sizeof time;
    if (real::getsockopt(fd, SOL_SOCKET, name, &time, &length) == 0 &&
        (time.tv_sec != 0 || time.tv_usec != 0)) {
      real::setsockopt(end, SOL_SOCKET, name, &time, length);
    }
  }
  const SlotRef slot = fd_table::find(fd);
  const Connection* const connection = as_connection(slot);
  const int mark = connection != nullptr ? connection->low_water() : 1;
  if (mark != 1) real::setsockopt(end, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

}  // namespace

int start_relay(int fd) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  if (!is_blocking(fd)) real::fcntl(ends[0], F_SETFL, reinterpret_cast<void*>(O_NONBLOCK));
  take_options(ends[0], fd);
  bool started;
  {
    const AllSignalsBlocked blocked;
    started = fork_orphan([&] { run_relay(fd, ends[1]); }) ||
              (errno == EAGAIN && relay_nursery::fork_relay(fd, ends[1]));
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
    if (end != nullptr) end_slot(*end);
    if (numbers.end >= 0) real::close(numbers.end);
    return -1;
  }
  fd_table::for_each(
      [](int number, Slot& found, void* context) {
        const auto* const moving = static_cast<Numbers*>(context);
        if (&found != moving->wanted) return;
        const bool close_on_exec = fd_table::close_on_exec(number);
        if (fd_table::withdraw(number) == nullptr) return;  // another thread closes it
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
        if (slot.kind() != Kind::connection) return;
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

bool relay_passed(const msghdr& message) {
  return for_each_passed(message, [](int fd) {
    if (!fd_table::has(fd)) return true;
    const SlotRef slot = fd_table::find(fd);
    const Connection* const connection = as_connection(slot);
    if (connection == nullptr || !connection->is_protected()) return true;
    if (!process::memory_is_borrowed() && move_to_relay(fd) == 0) return true;
    log::line(log::Level::warning,
              "refused cause=local errno=EACCES reason=\"no relay for descriptor {}, which was to "
              "be passed on: {}\" advice=\"may the program fork (RLIMIT_NPROC)? else restart it "
              "after a change of policy\"",
              fd, std::strerror(errno));
    return false;
  });
}

void relay_before_identity(int fd) {
  if (!relay_nursery::exists() || process::memory_is_borrowed()) return;
  const SlotRef slot = fd_table::find(fd);
  const Connection* const connection = as_connection(slot);
  if (connection == nullptr || connection->state() != State::open) return;
  const int saved_errno = errno;
  move_to_relay(fd);  // else it is tried again when it is passed on
  errno = saved_errno;
}

}  // namespace gaiter::shim
