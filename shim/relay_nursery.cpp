#include "shim/relay_nursery.h"

#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>

#include "shim/arena.h"
#include "shim/connection.h"
#include "shim/decision.h"
#include "shim/family.h"
#include "shim/fd_table.h"
#include "shim/live.h"
#include "shim/orphan.h"
#include "shim/portable.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/relay_loop.h"

namespace gaiter::shim::relay_nursery {

namespace {

// Who is to be relayed: all of the connection, whose memory is younger than the nursery. With
// its descriptor and the pair's end.
struct Request {
  Portable connection;
  PortableBytes bytes;
};
constexpr size_t passed = 2;

// What the program knows of its nursery, which a fork child may use too.
struct Nursery {
  sockaddr_un address{};
  socklen_t length = 0;  // of that; 0 = there is none
  ucred credentials{};   // of who listens there
  uint32_t policy = 0;   // which one it knows
  // Whose requests it is for, in memory that both see.
  std::atomic<uid_t>* user = nullptr;
};
constinit Nursery nursery;

bool share_user() {
  if (nursery.user == nullptr) {
    void* const memory = mmap(nullptr, sizeof *nursery.user, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    nursery.user = new (memory) std::atomic<uid_t>;
  }
  nursery.user->store(geteuid());
  return true;
}

bool choose_name() {
  std::array<uint8_t, 16> random;
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return false;
  static constexpr char digits[] = "0123456789abcdef";
  static constexpr char prefix[] = "gaiter-relays-";
  nursery.address.sun_family = AF_UNIX;
  char* at = nursery.address.sun_path;
  *at++ = '\0';  // abstract
  at = static_cast<char*>(std::memcpy(at, prefix, sizeof prefix - 1)) + sizeof prefix - 1;
  for (const uint8_t byte : random) {
    *at++ = digits[byte >> 4];
    *at++ = digits[byte & 15];
  }
  nursery.length = static_cast<socklen_t>(at - reinterpret_cast<const char*>(&nursery.address));
  return true;
}

const sockaddr* address() { return reinterpret_cast<const sockaddr*>(&nursery.address); }

// A control message of the descriptors that a request comes with.
union Control {
  cmsghdr head;
  char room[CMSG_SPACE(passed * sizeof(int))];
};

// Nobody is to keep the other one waiting.
void be_impatient(int fd) {
  const timeval patience{2, 0};
  real::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  real::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

// ---- the nursery ----

// The request on `asked` and its descriptors. False: it is not one.
bool receive(int asked, Request& request, std::array<int, passed>& fds) {
  Control control{};
  iovec pieces[2] = {{&request.connection, sizeof request.connection},
                     {request.bytes.data.get(), PortableBytes::room}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  message.msg_control = control.room;
  message.msg_controllen = sizeof control.room;
  const ssize_t got = real::recvmsg(asked, &message, MSG_CMSG_CLOEXEC);
  const cmsghdr* const part = CMSG_FIRSTHDR(&message);
  if (part == nullptr || part->cmsg_type != SCM_RIGHTS) return false;
  const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  if (count != passed || got < static_cast<ssize_t>(sizeof request.connection)) {
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      real::close(fd);
    }
    return false;
  }
  std::memcpy(fds.data(), CMSG_DATA(part), sizeof fds);
  request.bytes.length = static_cast<size_t>(got) - sizeof request.connection;
  return true;
}

// Who is at the other end; nobody if that cannot be known.
ucred peer_of(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (real::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) return peer;
  return {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
}

bool is_mine(int asked) { return peer_of(asked).uid == geteuid(); }

// Forks the relay that is asked for, and answers. The one who asks holds the connection
// until then.
void answer(int asked) {
  Request request;
  std::array<int, passed> fds{-1, -1};
  bool forked = false;
  be_impatient(asked);
  if (is_mine(asked) && receive(asked, request, fds)) {
    const auto [fd, end] = fds;
    if (live::rule_numbered(request.connection.rule) != nullptr) {
      const pid_t relay = real::fork();
      if (relay == 0) {
        family::join();
        Connection* const connection = Connection::unpack(request.connection, request.bytes);
        if (connection == nullptr || !fd_table::publish(fd, *connection)) real::_exit(1);
        real::send(asked, "", 1, MSG_NOSIGNAL);  // from now on it holds the connection
        run_relay(fd, end);
      }
      forked = relay > 0;
    }
    real::close(fd);
    real::close(end);
  }
  if (!forked) real::shutdown(asked, SHUT_RDWR);
  real::close(asked);
}

// Before the first request is read: root's nursery turns into the user's. Not earlier, since
// it would count among the user's processes when the program joins them (execve(2), EAGAIN).
void become_servant(int asked) {
  const uid_t user = nursery.user->load();
  const ucred peer = peer_of(asked);
  if (geteuid() == user || peer.uid != user) return;
  if (setgroups(0, nullptr) != 0 || setresgid(peer.gid, peer.gid, peer.gid) != 0 ||
      real::setresuid(user, user, user) != 0) {
    real::_exit(1);
  }
}

[[noreturn]] void serve(int listener, int program) {
  stand_alone("gaiter-relays");
  let_go_of_all_but(listener, program);
  signal(SIGCHLD, SIG_IGN);  // nobody waits for relays
  family::join();
  for (;;) {
    pollfd both[2] = {{listener, POLLIN, 0}, {program, POLLIN, 0}};
    if (real::poll(both, 2, -1) < 0) continue;
    if (both[0].revents != 0) {
      const int asked = real::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (asked >= 0) {
        become_servant(asked);
        answer(asked);
      }
    }
    if (both[1].revents != 0) real::_exit(0);
  }
}

// ---- the program ----

bool begin() {
  arena::reserved();  // so that it sees what will be there later
  nursery.credentials = {getpid(), geteuid(), getegid()};
  nursery.policy = live::generation();
  const int program = static_cast<int>(::syscall(SYS_pidfd_open, getpid(), 0));
  const int listener = real::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  bool begun = program >= 0 && listener >= 0 && share_user() && choose_name() &&
               bind(listener, address(), nursery.length) == 0 &&
               real::listen(listener, SOMAXCONN) == 0;
  if (begun) {
    const AllSignalsBlocked blocked;
    begun = fork_orphan([=] { serve(listener, program); });
  }
  if (program >= 0) real::close(program);
  if (listener >= 0) real::close(listener);
  return begun;
}

// Whether it is the nursery that `fd` is connected to.
bool is_nursery(int fd) {
  const ucred peer = peer_of(fd);
  return peer.pid == nursery.credentials.pid && peer.uid == nursery.credentials.uid;
}

bool ask(int to, Request& request, int fd, int end) {
  const std::array<int, passed> fds{fd, end};
  Control control{};
  iovec pieces[2] = {{&request.connection, sizeof request.connection},
                     {request.bytes.data.get(), request.bytes.length}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  message.msg_control = control.room;
  message.msg_controllen = sizeof control.room;
  cmsghdr* const part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(part), fds.data(), sizeof fds);
  if (real::sendmsg(to, &message, MSG_NOSIGNAL) < 0) return false;
  char done;
  return real::recv(to, &done, sizeof done, 0) == 1;
}

}  // namespace

void prepare(const rlimit& limit) {
  if (limit.rlim_cur > 1 || nursery.length != 0) return;
  const int saved_errno = errno;
  if (!process::memory_is_borrowed() && has_rules() && !begin()) nursery.length = 0;
  errno = saved_errno;
}

void prepare_for(uid_t user) {
  if (nursery.length != 0 && geteuid() == 0 && !process::memory_is_borrowed())
    nursery.user->store(user);
}

// Root may fork.
bool exists() { return nursery.length != 0 && geteuid() != 0; }

bool hand_over(Connection& connection, int to, int fd, int end) {
  Request request;
  return connection.move_elsewhere(request.connection, request.bytes,
                                   [&] { return ask(to, request, fd, end); });
}

bool fork_relay(int fd, int end) {
  const SlotRef slot = fd_table::find(fd);
  Connection* const connection = as_connection(slot);
  const int saved_errno = errno;
  if (nursery.length == 0 || connection == nullptr || process::memory_is_borrowed()) return false;
  // A handshake is in this process's memory, and so is a rule that came later.
  if (connection->state() != State::open || live::generation() != nursery.policy) return false;
  const int to = real::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (to < 0) return false;
  be_impatient(to);
  const bool done = real::connect(to, address(), nursery.length) == 0 && is_nursery(to) &&
                    hand_over(*connection, to, fd, end);
  real::close(to);
  if (!done) errno = saved_errno;
  return done;
}

}  // namespace gaiter::shim::relay_nursery
