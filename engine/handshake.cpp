#include "engine/handshake.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "engine/authorisation.h"
#include "engine/diagnosis.h"
#include "engine/first_bytes.h"
#include "engine/fork_guard.h"
#include "engine/hand_over.h"
#include "engine/peer_name.h"
#include "engine/records.h"
#include "engine/ssl_driver.h"
#include "engine/tickets.h"
#include "engine/verification.h"
#include "keyring/openssl_memory.h"

namespace gaiter::engine {
namespace {

// RFC 5246 6.2.3: what no record may exceed. Nobody waits for such a one.
constexpr size_t max_body = max_plaintext + 2048;

// The length of the whole records at the front of `input`. Of one that is too
// long the header is enough: OpenSSL refuses it by that, with the right alert.
size_t whole_records(std::span<const uint8_t> input) {
  size_t whole = 0;
  while (input.size() - whole >= record_header_length) {
    const uint8_t* header = input.data() + whole;
    const auto body = static_cast<size_t>(header[3] << 8 | header[4]);
    if (body > max_body) return whole + record_header_length;
    if (input.size() - whole < record_header_length + body) break;
    whole += record_header_length + body;
  }
  return whole;
}

class OpenSslHandshake final : public Handshake, public InOpenSslMemory {
 public:
  OpenSslHandshake(std::shared_ptr<const Context> context, ExpectedPeer expected,
                   std::string session_key);
  ~OpenSslHandshake() override;

  void forgive_peer() override {
    if (driver_ != nullptr) driver_->forgive_peer();
  }
  State advance(std::span<const uint8_t>& input, std::vector<uint8_t>& output) override;
  const Failure& failure() const override { return *failure_; }
  Secured take() override;

 private:
  void prepare_client();
  State fail(Failure failure);
  State complete(std::vector<uint8_t>& output);
  Summary summarize(BackEnd back_end) const;
  std::string peer() const;
  void wipe_keys();

  const std::shared_ptr<const Context> context_;
  const ContextSettings& settings_;
  const ExpectedPeer expected_;
  std::unique_ptr<SslDriver> driver_;
  State state_ = State::going_on;
  bool begun_ = false;      // a client's first flight went out
  bool heard_tls_ = false;  // the peer's first record was TLS
  std::optional<Failure> failure_;
  std::optional<Secured> secured_;
};

OpenSslHandshake::OpenSslHandshake(std::shared_ptr<const Context> context, ExpectedPeer expected,
                                   std::string session_key)
    : context_(std::move(context)),
      settings_(context_->settings()),
      expected_(std::move(expected)) {
  const OpenSslStep step;
  ERR_clear_error();
  // The names are in the key: what was verified under one resumes no other.
  driver_ = SslDriver::make(context_, expected_, std::move(session_key) + '\0' + key_of(expected_));
  if (driver_ == nullptr)
    fail(diagnose_local("no TLS object could be made", ""));
  else if (settings_.role == Role::client)
    prepare_client();
}

OpenSslHandshake::~OpenSslHandshake() {
  const OpenSslStep step;
  driver_.reset();
  wipe_keys();
}

void OpenSslHandshake::prepare_client() {
  if (settings_.verify == PeerCheck::full) {
    if (auto unknown = unknown_names(expected_)) {
      fail(std::move(*unknown));
      return;
    }
    // Several are verified once the chain is (SslDriver): OpenSSL would take any one of them.
    const std::string name = expected_.names.empty() ? "" : expected_.names.front();
    if (!expected_.is_ambiguous() && !require_name(driver_->ssl(), parse_server_name(name))) {
      fail({Cause::wrong_name,
            name.empty() ? "the server's name is not known, so its certificate cannot be verified"
                         : "\"" + name + "\" is no name that a certificate can be verified for",
            "set server_name in the policy to the name in the server's certificate"});
      return;
    }
  }
  // Without verification of the name an unfit one is merely not sent.
  if (!send_name(driver_->ssl(), parse_server_name(expected_.sent))) ERR_clear_error();
  driver_->offer_session();
}

Handshake::State OpenSslHandshake::advance(std::span<const uint8_t>& input,
                                           std::vector<uint8_t>& output) {
  if (state_ != State::going_on) return state_;
  if (!heard_tls_) {
    if (const char* other = what_else_than_tls(input)) {
      const bool client = settings_.role == Role::client;
      return fail({Cause::not_tls,
                   std::string("the ") + (client ? "server" : "client") +
                       " does not speak TLS: it sent " + other,
                   client
                       ? "is this the server's TLS port, and does it expect TLS at once?"
                       : "connect with TLS: run the client under Gaiter too, or enable its TLS"});
    }
  }
  const size_t whole = whole_records(input);
  const bool first_flight = settings_.role == Role::client && !begun_;
  if (whole == 0 && !first_flight) return state_;
  begun_ = true;
  if (whole != 0) heard_tls_ = true;

  const OpenSslStep step;
  ERR_clear_error();
  std::span<const uint8_t> records = input.first(whole);
  const SslDriver::Outcome outcome = driver_->handshake(records, output);
  input = input.subspan(whole - records.size());
  switch (outcome) {
    case SslDriver::Outcome::want_input:
      return state_;
    case SslDriver::Outcome::done:
      return complete(output);
    case SslDriver::Outcome::failed:
      break;
  }
  driver_->forget_session();
  if (std::optional<Failure>& refused = driver_->refusal(); refused && !driver_->forgives())
    return fail(std::move(*refused));
  if (ERR_peek_error() == 0 && (SSL_get_shutdown(driver_->ssl()) & SSL_RECEIVED_SHUTDOWN) != 0)
    return fail({Cause::peer_closed, "the peer gave up in mid-handshake (alert close_notify)", ""});
  return fail(diagnose_handshake(settings_));
}

Handshake::State OpenSslHandshake::fail(Failure failure) {
  failure_ = std::move(failure);
  driver_.reset();
  return state_ = State::failed;
}

// OpenSSL is content; the rest is to see that its successor has all it needs.
Handshake::State OpenSslHandshake::complete(std::vector<uint8_t>& output) {
  SSL* const ssl = driver_->ssl();
  std::expected<HandedOver, Failure> states = hand_over(ssl, settings_, driver_->secrets());
  driver_->secrets().wipe();
  if (!states) return fail(std::move(states.error()));
  const auto refuse = [&](Alert alert, Failure failure) {
    uint8_t sealed[max_seal_overhead + 2];
    const size_t length = seal_alert(states->write, alert, sealed);
    output.insert(output.end(), sealed, sealed + length);
    return fail(std::move(failure));
  };
  if (SSL_has_pending(ssl) == 1)
    return refuse(
        Alert::unexpected_message,
        {Cause::protocol, "the peer sent more in the record of its Finished message", ""});
  // A session resumes what was verified when it began.
  if (const long result = SSL_get_verify_result(ssl);
      verifies_peer(settings_) && result != X509_V_OK)
    return refuse(Alert::handshake_failure,
                  diagnose_certificate(static_cast<int>(result), 0, nullptr, settings_.role,
                                       describe(expected_)));

  if (driver_->forgives() && settings_.client_auth == PeerCertificate::required &&
      SSL_get0_peer_certificate(ssl) == nullptr)
    driver_->refusal() = no_certificate();
  secured_.emplace(states->read, states->write, summarize(states->read.keys.key.back_end));
  secured_->forgiven = std::move(driver_->refusal());
  OPENSSL_cleanse(&*states, sizeof *states);
  if (secured_->summary.version == Version::tls13 && settings_.role == Role::server &&
      !driver_->forgives())
    secured_->write.keys.sequence += issue_tickets(*driver_, settings_.tickets, secured_->deferred);
  if (secured_->summary.version == Version::tls13 && settings_.role == Role::client)
    secured_->tickets = expect_tickets(std::move(driver_));
  driver_.reset();
  return state_ = State::done;
}

Summary OpenSslHandshake::summarize(BackEnd back_end) const {
  SSL* const ssl = driver_->ssl();
  return {static_cast<Version>(SSL_version(ssl)),
          SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)),
          back_end,
          SSL_session_reused(ssl) == 1,
          peer(),
          context_->authorisation().user_of(SSL_get0_peer_certificate(ssl))};
}

std::string OpenSslHandshake::peer() const {
  // The name that was verified, now or when the session began.
  if (settings_.role == Role::client && settings_.verify == PeerCheck::full)
    return printable(expected_.sent);
  const X509* certificate = SSL_get0_peer_certificate(driver_->ssl());
  return certificate == nullptr ? "" : describe_peer(certificate);
}

Secured OpenSslHandshake::take() {
  Secured taken = std::move(*secured_);
  wipe_keys();
  return taken;
}

void OpenSslHandshake::wipe_keys() {
  if (!secured_) return;
  OPENSSL_cleanse(&secured_->read, sizeof secured_->read);
  OPENSSL_cleanse(&secured_->write, sizeof secured_->write);
  secured_.reset();
}

}  // namespace

std::unique_ptr<Handshake> Handshake::start(std::shared_ptr<const Context> context,
                                            ExpectedPeer peer, std::string session_key) {
  return std::make_unique<OpenSslHandshake>(std::move(context), std::move(peer),
                                            std::move(session_key));
}

const char* openssl_version() {
  static const std::array<char, 48> text = [] {
    std::array<char, 48> made = {};
    std::snprintf(made.data(), made.size(), "OpenSSL %s",
                  OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
    return made;
  }();
  return text.data();
}

}  // namespace gaiter::engine
