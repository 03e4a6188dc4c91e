#include "shim/relay_loop.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "shim/connection.h"
#include "shim/fd_table.h"
#include "shim/orphan.h"
#include "shim/process.h"
#include "shim/readiness.h"
#include "shim/real.h"

namespace gaiter::shim {

namespace {

// One direction: what was taken and not yet given on.
struct Flow {
  uint8_t bytes[16384];
  size_t at = 0;
  size_t length = 0;
  bool ended = false;  // the source said end of file

  bool wants() const { return !ended && length == 0; }
};

// For unsent bytes, which nobody else will see to.
constexpr int64_t patience = 60'000'000'000;

// False: the connection is broken.
bool take_from_network(Connection& connection, int fd, int end, Flow& flow) {
  const iovec piece{flow.bytes, sizeof flow.bytes};
  const ssize_t got = connection.receive(fd, engine::IovCursor(&piece, 1), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  flow.at = 0;
  flow.length = static_cast<size_t>(got);
  if (got == 0) {
    flow.ended = true;
    real::shutdown(end, SHUT_WR);
  }
  return true;
}

// False: the program closed its end and left data unread, which resets.
bool take_from_program(Connection& connection, int fd, int end, Flow& flow) {
  const ssize_t got = real::recv(end, flow.bytes, sizeof flow.bytes, MSG_DONTWAIT);
  if (got < 0 && errno == ECONNRESET) {
    connection.reset_by_close(fd);
    return false;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  flow.at = 0;
  flow.length = static_cast<size_t>(std::max<ssize_t>(got, 0));
  if (got <= 0) {
    flow.ended = true;
    connection.shut_down(fd, SHUT_WR);
  }
  return true;
}

bool move_on(Flow& flow, ssize_t given) {
  if (given < 0) return errno == EAGAIN || errno == EINTR;
  flow.at += static_cast<size_t>(given);
  flow.length -= static_cast<size_t>(given);
  return true;
}

// False: it ended in a reset, so there is nothing more to say.
bool carry(Connection& connection, int fd, int end) {
  static Flow to_program;
  static Flow to_network;
  while (!to_program.ended || !to_network.ended || to_program.length != 0) {
    pollfd ends[2] = {{fd, 0, 0}, {end, 0, 0}};
    if (to_program.wants()) ends[0].events |= POLLIN;
    if (to_network.length != 0) ends[0].events |= POLLOUT;
    if (to_network.wants()) ends[1].events |= POLLIN;
    if (to_program.length != 0) ends[1].events |= POLLOUT;
    if (ends[0].events == 0) ends[0].fd = -1;
    if (await_readiness(ends, 2, INT64_MAX, nullptr) < 0 && errno != EINTR) return true;

    if (to_program.wants() && ends[0].revents != 0 &&
        !take_from_network(connection, fd, end, to_program)) {
      return true;
    }
    if (to_network.wants() && ends[1].revents != 0 &&
        !take_from_program(connection, fd, end, to_network)) {
      return false;
    }
    if (to_program.length != 0 &&
        !move_on(to_program, real::send(end, to_program.bytes + to_program.at, to_program.length,
                                        MSG_DONTWAIT | MSG_NOSIGNAL))) {
      return true;
    }
    if (to_network.length != 0) {
      const iovec piece{to_network.bytes + to_network.at, to_network.length};
      const ssize_t given = connection.transmit(fd, engine::IovCursor(&piece, 1), piece.iov_len,
                                                MSG_DONTWAIT | MSG_NOSIGNAL);
      if (!move_on(to_network, given)) return true;
    }
    // The program closed its end: nobody waits for what the network still says.
    if ((ends[1].revents & POLLHUP) != 0 && to_network.ended && to_network.length == 0) return true;
  }
  return true;
}

}  // namespace

void run_relay(int fd, int end) {
  stand_alone("gaiter-relay");
  let_go_of_all_but(fd, end);
  {
    const SlotRef slot = fd_table::find(fd);
    Connection* const connection = as_connection(slot);
    // How much the program waits for is a matter of its end now.
    constexpr int anything = 1;
    if (connection != nullptr && connection->low_water() != anything)
      connection->set_low_water(fd, &anything, sizeof anything);
    if (connection != nullptr && carry(*connection, fd, end)) {
      connection->say_goodbye(fd, process::now() + patience);
      connection->swallow_control(fd);
    }
  }
  fd_table::forget(fd);
  real::_exit(0);
  __builtin_unreachable();
}

}  // namespace gaiter::shim
