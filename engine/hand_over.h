// The hand-over: from an SSL object whose handshake is done to plain record
// state, with the sequence numbers where OpenSSL left them.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "engine/context_settings.h"
#include "engine/failure.h"
#include "engine/record_state.h"

namespace gaiter::engine {

// TLS 1.3: client_ and server_application_traffic_secret_0, which OpenSSL shows
// only to its key log (engine/secret_log). Wiped when it goes.
class TrafficSecrets {
 public:
  struct Secret {
    uint8_t bytes[48] = {};
    size_t length = 0;
  };

  TrafficSecrets() = default;
  ~TrafficSecrets() { wipe(); }
  TrafficSecrets(const TrafficSecrets&) = delete;
  TrafficSecrets& operator=(const TrafficSecrets&) = delete;

  // `label` as in the NSS key log format; others than the two are passed over.
  void note(std::string_view label, std::span<const uint8_t> secret);

  void wipe();

  const Secret& client() const { return client_; }
  const Secret& server() const { return server_; }

 private:
  Secret client_;
  Secret server_;
};

struct HandedOver {
  ReadState read;
  WriteState write;
};

// `ssl` must have completed its handshake and have sent or read nothing since.
std::expected<HandedOver, Failure> hand_over(SSL* ssl, const ContextSettings& settings,
                                             const TrafficSecrets& secrets);

}  // namespace gaiter::engine
