// A TLS handshake without I/O (RFC 8446 4, RFC 5246 7): bytes in, bytes out.
//
// OpenSSL is fed one record at a time, so that not one byte of the record layer
// that follows is swallowed. When the handshake is done the traffic keys are
// taken out as plain data and the SSL object is given up; a TLS 1.3 client keeps
// it (inside Tickets) just until its session ticket came or data flows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/expected_peer.h"
#include "engine/failure.h"
#include "engine/record_state.h"

namespace gaiter::engine {

// What is known of a secured connection, for the log.
struct Summary {
  Version version;
  const char* suite;  // "TLS_AES_256_GCM_SHA384"; static
  BackEnd back_end;
  bool resumed;
  std::string peer;  // the peer certificate's subject or first SAN; "" if it showed none
  std::string user;  // the local user that it stands for; "" without map_user
};

// Client, TLS 1.3: gives NewSessionTicket records to OpenSSL so that the session
// can be resumed. Dropping it is always right; it only costs a resumption.
class Tickets {
 public:
  virtual ~Tickets() = default;
  // `record` as it came from the wire, in order, none left out.
  virtual void take(std::span<const uint8_t> record) = 0;
};

// What is left of a handshake that succeeded.
struct Secured {
  ReadState read;
  WriteState write;
  Summary summary;
  // Server: sealed NewSessionTicket records; they must be the first bytes sent
  // (write.sequence counts them already), but may wait for the first data.
  std::vector<uint8_t> deferred;
  // Client TLS 1.3; else null.
  std::unique_ptr<Tickets> tickets;
  // With forgive_peer(): why the peer would not have been accepted; nothing if it would.
  std::optional<Failure> forgiven{};
};

class Handshake {
 public:
  enum class State { going_on, done, failed };

  // `peer` (client): SNI and, with verify full, the names that the certificate
  // must have; an IP address literal is verified as one and not sent as SNI.
  // `session_key` (client): sessions are resumed only for an equal key, within
  // the context; name it after the peer ("redis.internal 10.0.0.5:6379").
  static std::unique_ptr<Handshake> start(std::shared_ptr<const Context> context, ExpectedPeer peer,
                                          std::string session_key);
  virtual ~Handshake() = default;

  // Server, before the first advance(): a client whose certificate is missing or not
  // accepted is let in all the same, and Secured::forgiven tells why it would not have
  // been. Makes and resumes no session, which could outlive that.
  virtual void forgive_peer() = 0;

  // Consumes whole records from the front of `input` (its size shrinks), never
  // past the handshake's last record, and appends what must be sent to `output`
  // (also when failed: the alert, but nothing to a peer that does not speak TLS,
  // nor when a client fails before its first flight). A client's first call has no
  // input.
  virtual State advance(std::span<const uint8_t>& input, std::vector<uint8_t>& output) = 0;

  // After failed.
  virtual const Failure& failure() const = 0;

  // After done, once.
  virtual Secured take() = 0;
};

// Around fork(2): a child must not inherit OpenSSL's locks in the hands of
// threads that it does not have. before_fork() waits until no handshake step
// runs; the others let them go on, in the parent and in the child. A fork in a
// signal handler that interrupted a step does not wait for its own thread (see
// engine/fork_guard.h, also for other code that calls OpenSSL).
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

// "OpenSSL 3.0.19"
const char* openssl_version();

}  // namespace gaiter::engine
