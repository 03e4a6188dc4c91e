#include "shim/readiness.h"

#include <cerrno>
#include <cstring>

#include "shim/clock.h"
#include "shim/connection.h"
#include "shim/drain.h"
#include "shim/epoll_set.h"
#include "shim/fd_table.h"
#include "shim/poll_array.h"
#include "shim/process.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

// While another thread or process performs a handshake, which it does not tell.
constexpr int64_t tick = 5'000'000;
// How long somebody who reads meanwhile may keep a poller asleep.
constexpr int64_t nap = 10'000'000;

// Whether a handshake's clock runs.
bool must_end_in_time(const Connection& connection) {
  const State state = connection.state();
  return (state == State::pending || state == State::handshaking) && connection.deadline() != 0;
}

uint32_t bits(short events) { return static_cast<uint16_t>(events); }

// Looks at one descriptor before the wait: what the program may see at once, and
// what the kernel must be asked. Bounds the wait.
short before(const pollfd& wanted, pollfd& asked, int64_t& limit) {
  asked = wanted;
  asked.revents = 0;
  if (wanted.fd < 0 || !fd_table::has(wanted.fd)) return 0;
  const SlotRef slot = fd_table::find(wanted.fd);
  if (!slot) return 0;
  if (slot.get()->kind() == Kind::epoll_set) {
    auto& set = static_cast<EpollSet&>(*slot.get());
    set.polled.store(true);
    epoll_expire(set);
    limit = std::min(limit, set.next_deadline.load());
    return epoll_has_news(set) ? static_cast<short>(wanted.events & (POLLIN | POLLRDNORM))
                               : short{0};
  }
  if (slot.get()->kind() != Kind::connection) return 0;
  auto& connection = static_cast<Connection&>(*slot.get());
  const uint32_t visible = connection.ready(wanted.fd, bits(wanted.events), 0);
  asked.events = static_cast<short>(connection.kernel_interest(bits(wanted.events)));
  if (must_end_in_time(connection)) limit = std::min(limit, connection.deadline());
  // Of records that wait here no kernel will tell.
  if ((visible & Connection::ask_again) != 0 && connection.read_hint() == Reading::Hint::unsure)
    limit = std::min(limit, process::now() + tick);
  return static_cast<short>(visible);
}

// And after it.
short after(const pollfd& wanted, const pollfd& asked, bool& ask_again) {
  if (wanted.fd < 0 || !fd_table::has(wanted.fd)) return asked.revents;
  const SlotRef slot = fd_table::find(wanted.fd);
  Connection* const connection = as_connection(slot);
  if (connection == nullptr) return asked.revents;
  if (asked.revents == 0 &&
      !(must_end_in_time(*connection) && process::now() >= connection->deadline())) {
    return 0;
  }
  const uint32_t visible = connection->ready(wanted.fd, bits(wanted.events), bits(asked.revents));
  if ((visible & Connection::ask_again) != 0) ask_again = true;
  return static_cast<short>(visible);
}

// A sleep in the kernel, of which those know who read the same connections.
class Sleep {
 public:
  // Bounds the wait where it must be.
  Sleep(const pollfd* fds, nfds_t count, int64_t& limit) : fds_(fds), count_(count) {
    for_each([&](Connection& connection, uint32_t wanted) {
      const Connection::Sleep sleep = connection.begin_polling(wanted);
      if (sleep == Connection::Sleep::none) limit = 0;
      if (sleep == Connection::Sleep::shallow) limit = std::min(limit, process::now() + nap);
    });
  }
  ~Sleep() {
    for_each([](Connection& connection, uint32_t wanted) { connection.end_polling(wanted); });
  }
  Sleep(const Sleep&) = delete;
  Sleep& operator=(const Sleep&) = delete;

 private:
  template <class Visit>
  void for_each(Visit visit) const {
    for (nfds_t i = 0; i < count_; ++i) {
      if (fds_[i].fd < 0 || !fd_table::has(fds_[i].fd)) continue;
      const SlotRef slot = fd_table::find(fds_[i].fd);
      Connection* const connection = as_connection(slot);
      if (connection != nullptr && connection->is_protected())
        visit(*connection, bits(fds_[i].events));
    }
  }

  const pollfd* const fds_;
  const nfds_t count_;
};

int ask(pollfd* asked, nfds_t count, int64_t limit, const sigset_t* mask) {
  if (limit == forever) return real::ppoll(asked, count, nullptr, mask);
  const timespec time = time_left(limit);
  return real::ppoll(asked, count, &time, mask);
}

int sleep(const pollfd* fds, pollfd* asked, nfds_t count, int64_t limit, const sigset_t* mask) {
  const Sleep registered(fds, count, limit);
  return ask(asked, count, limit, mask);
}

}  // namespace

bool any_protected(const pollfd* fds, nfds_t count) {
  for (nfds_t i = 0; i < count; ++i) {
    if (fds[i].fd >= 0 && fd_table::has(fds[i].fd)) return true;
  }
  return false;
}

int await_readiness(pollfd* fds, nfds_t count, int64_t deadline, const sigset_t* mask) {
  const PollArray array(count);
  pollfd* const asked = array.data();
  if (asked == nullptr) {
    errno = ENOMEM;
    return -1;
  }
  for (;;) {
    int64_t limit = drain_before_sleep(deadline);
    int visible = 0;
    for (nfds_t i = 0; i < count; ++i) {
      fds[i].revents = before(fds[i], asked[i], limit);
      visible += fds[i].revents != 0;
    }
    const int got = visible != 0 || limit == 0 ? ask(asked, count, 0, mask)
                                               : sleep(fds, asked, count, limit, mask);
    if (got < 0 && visible == 0) return -1;
    if (got > 0 || visible == 0) {
      visible = 0;
      bool ask_again = false;
      for (nfds_t i = 0; i < count; ++i) {
        fds[i].revents = static_cast<short>(fds[i].revents | after(fds[i], asked[i], ask_again));
        visible += fds[i].revents != 0;
      }
      if (visible == 0 && ask_again && deadline != 0) {
        const timespec pause{0, tick};
        if (real::ppoll(nullptr, 0, &pause, mask) < 0) return -1;
      }
    }
    if (visible != 0) return visible;
    if (deadline != forever && (deadline == 0 || process::now() >= deadline)) return 0;
  }
}

}  // namespace gaiter::shim
