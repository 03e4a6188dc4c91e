// One SSL object that lives on memory alone, with what its callbacks gather:
// traffic secrets, a refused certificate, sessions to keep.
//
// Every function must be called inside an OpenSslStep.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/expected_peer.h"
#include "engine/hand_over.h"
#include "engine/record_bio.h"
#include "engine/sessions.h"
#include "keyring/openssl_memory.h"

namespace gaiter::engine {

class SslDriver : public InOpenSslMemory {
 public:
  enum class Outcome { want_input, done, failed };

  // Once for each SSL_CTX of `context`, whose SSL objects get drivers.
  static void install_callbacks(SSL_CTX* ssl_context, const Context& context);

  // Verifies the names of `expected` if they are several; of one it only speaks. Null
  // without memory.
  static std::unique_ptr<SslDriver> make(std::shared_ptr<const Context> context,
                                         ExpectedPeer expected, std::string session_key);
  ~SslDriver();
  SslDriver(const SslDriver&) = delete;
  SslDriver& operator=(const SslDriver&) = delete;

  // Goes on with the handshake. `records` holds whole records; its front moves
  // past those that OpenSSL took. What must be sent is appended to `output`.
  Outcome handshake(std::span<const uint8_t>& records, std::vector<uint8_t>& output);

  // After the handshake: lets OpenSSL take one record that is no application
  // data, and drops what it may want to answer. False if it did not like it.
  bool take_post_handshake(std::span<const uint8_t> record);

  // Client: offers the session that the cache has for this key, if any.
  void offer_session();
  // The session that was offered led to a failure.
  void forget_session();

  SSL* ssl() const { return ssl_; }
  TrafficSecrets& secrets() { return secrets_; }

  // Before the handshake: see Handshake::forgive_peer().
  void forgive_peer();
  bool forgives() const { return forgives_; }

  // Why the peer was refused by us and not by OpenSSL, or would have been, if it was:
  // its certificate, or the name that it asked for.
  std::optional<Failure>& refusal() { return refusal_; }

 private:
  SslDriver() = default;

  static SslDriver& of(const SSL* ssl) { return *static_cast<SslDriver*>(SSL_get_app_data(ssl)); }
  static SslDriver& of(X509_STORE_CTX* verification);

  // Returns whether the handshake goes on all the same.
  bool refuse(Failure failure);
  bool refuse(X509_STORE_CTX* verification, int error, Failure failure);
  bool accepts_chain(X509_STORE_CTX* verification);
  bool accepts_peer(X509_STORE_CTX* verification);

  // Until when this handshake's sessions may be resumed: as the one that it resumed, or
  // from now on. Once the peer is verified.
  std::time_t session_end();

  // OpenSSL's callbacks. None may throw.
  static int verify_chain(X509_STORE_CTX* verification, void*);
  static int on_verify(int ok, X509_STORE_CTX* verification);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  static int on_new_ticket(SSL* ssl, void*);
  static int on_server_name(SSL* ssl, int* alert, void*);
  static int on_staple_wanted(SSL* ssl, void*);
  static int on_staple(SSL* ssl, void*);
  static int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, int encrypt);
  static SSL_TICKET_RETURN on_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, size_t,
                                     SSL_TICKET_STATUS status, void*);

  std::shared_ptr<const Context> context_;
  ExpectedPeer expected_;
  std::string expected_key_;
  std::string session_key_;
  SSL* ssl_ = nullptr;
  RecordPipe pipe_;
  TrafficSecrets secrets_;
  SessionPtr offered_;
  std::optional<std::time_t> staple_until_;  // client: how long the server's response is good
  std::optional<std::time_t> session_end_;   // see session_end(), once it was asked for
  std::optional<Failure> refusal_;
  bool forgives_ = false;
};

}  // namespace gaiter::engine
