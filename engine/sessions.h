// Resumption (RFC 8446 2.2, RFC 5077): which sessions a client keeps.
//
// They never leave their Context: the cache is one of its members, so a new policy or
// keyring makes every old session worthless. For servers see engine/ticket_keys,
// engine/session_scope and engine/resumption.
#pragma once

#include <openssl/ssl.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "keyring/openssl.h"

namespace gaiter::engine {

using SessionPtr = std::unique_ptr<SSL_SESSION, OpenSslDeleter<SSL_SESSION_free>>;

// The client's sessions, the newest of each key. Thread-safe.
class SessionCache {
 public:
  // Beyond `capacity` keys the one not used for longest goes.
  explicit SessionCache(size_t capacity) : capacity_(capacity) {}

  // One without an end (engine/session_end) is never given out.
  void put(const std::string& key, SessionPtr session);

  // A copy of a session that may be offered to the peer now, or null. The session
  // stays in the cache, for connections at the same time: a server that lets each
  // ticket be used but once sends a new one, which replaces it.
  SessionPtr get(const std::string& key);

  // After a handshake that offered `session` (a copy) and failed.
  void forget(const std::string& key, const SSL_SESSION* session);

  size_t size() const;

 private:
  struct Entry {
    std::string key;
    SessionPtr session;
  };
  using Entries = std::list<Entry>;

  void erase(Entries::iterator entry);

  const size_t capacity_;
  mutable std::mutex mutex_;
  Entries entries_;  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> index_;
};

// Whether the certificate that the peer showed when the session began is still
// valid at this time; true if it showed none.
bool peer_certificate_in_date(const SSL_SESSION* session);

}  // namespace gaiter::engine
