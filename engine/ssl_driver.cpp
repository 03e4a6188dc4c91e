#include "engine/ssl_driver.h"

#include <openssl/err.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/alerts.h"
#include "engine/authorisation.h"
#include "engine/diagnosis.h"
#include "engine/identities.h"
#include "engine/keyed_secrets.h"
#include "engine/peer_name.h"
#include "engine/resumption.h"
#include "engine/secret_log.h"
#include "engine/session_end.h"
#include "engine/stapling.h"
#include "engine/ticket_keys.h"
#include "engine/verification.h"
#include "keyring/trust.h"

namespace gaiter::engine {

void SslDriver::install_callbacks(SSL_CTX* ssl_context, const Context& context) {
  const ContextSettings& settings = context.settings();
  install_secret_log(ssl_context);
  SSL_CTX_set_verify(ssl_context, SSL_CTX_get_verify_mode(ssl_context), on_verify);
  SSL_CTX_set_cert_verify_callback(ssl_context, verify_chain, nullptr);
  SSL_CTX_sess_set_new_cb(ssl_context, on_new_session);
  if (settings.role == Role::client) {
    if (!settings.must_staple) return;
    SSL_CTX_set_tlsext_status_type(ssl_context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(ssl_context, on_staple);
    return;
  }
  if (!settings.sni.empty()) SSL_CTX_set_tlsext_servername_callback(ssl_context, on_server_name);
  if (settings.staple) SSL_CTX_set_tlsext_status_cb(ssl_context, on_staple_wanted);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_context, on_ticket_key);
  SSL_CTX_set_session_ticket_cb(ssl_context, on_new_ticket, on_ticket, nullptr);
}

std::unique_ptr<SslDriver> SslDriver::make(std::shared_ptr<const Context> context,
                                           ExpectedPeer expected, std::string session_key) {
  std::unique_ptr<SslDriver> driver(new SslDriver);
  driver->context_ = std::move(context);
  driver->expected_key_ = key_of(expected);
  driver->expected_ = std::move(expected);
  driver->session_key_ = std::move(session_key);
  driver->ssl_ = SSL_new(driver->context_->ssl_context());
  if (driver->ssl_ == nullptr) return nullptr;
  BIO* bio = new_record_bio(&driver->pipe_);
  if (bio == nullptr) return nullptr;
  SSL_set_bio(driver->ssl_, bio, bio);
  SSL_set_app_data(driver->ssl_, driver.get());
  send_secrets_to(driver->ssl_, &driver->secrets_);
  if (driver->context_->settings().role == Role::client)
    SSL_set_connect_state(driver->ssl_);
  else
    SSL_set_accept_state(driver->ssl_);
  return driver;
}

SslDriver::~SslDriver() {
  if (ssl_ == nullptr) return;
  // The connection goes on without OpenSSL: without this it would take the end
  // of the SSL object for a truncation, and spoil the session.
  if (SSL_is_init_finished(ssl_) == 1)
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

SslDriver::Outcome SslDriver::handshake(std::span<const uint8_t>& records,
                                        std::vector<uint8_t>& output) {
  pipe_.input = records;
  pipe_.record_rest = 0;
  pipe_.output = &output;
  const PeerCache::Parsing known_peers(context_->peers());
  const KeyedSecrets keyed_secrets;
  const int result = SSL_do_handshake(ssl_);
  const bool starved = result != 1 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
  records = pipe_.input;
  pipe_.input = {};
  pipe_.output = nullptr;
  if (result == 1) {
    session_end();  // counts from here, whenever tickets come
    return Outcome::done;
  }
  return starved ? Outcome::want_input : Outcome::failed;
}

bool SslDriver::take_post_handshake(std::span<const uint8_t> record) {
  pipe_.input = record;
  pipe_.record_rest = 0;
  uint8_t byte;
  const KeyedSecrets keyed_secrets;
  const int result = SSL_read(ssl_, &byte, sizeof byte);
  const bool fine = result <= 0 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
  pipe_.input = {};
  ERR_clear_error();
  return fine;
}

void SslDriver::offer_session() {
  offered_ = context_->sessions().get(session_key_);
  if (offered_ != nullptr) SSL_set_session(ssl_, offered_.get());
}

void SslDriver::forget_session() {
  if (offered_ != nullptr) context_->sessions().forget(session_key_, offered_.get());
}

SslDriver& SslDriver::of(X509_STORE_CTX* verification) {
  return of(static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx())));
}

void SslDriver::forgive_peer() {
  forgives_ = true;
  SSL_set_verify(ssl_, SSL_get_verify_mode(ssl_) & ~SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_set_options(ssl_, SSL_OP_NO_TICKET);
}

bool SslDriver::refuse(Failure failure) {
  if (!refusal_) refusal_ = std::move(failure);
  return forgives_;
}

bool SslDriver::refuse(X509_STORE_CTX* verification, int error, Failure failure) {
  X509_STORE_CTX_set_error(verification, forgives_ ? X509_V_OK : error);
  return refuse(std::move(failure));
}

// What is verified follows from the Context and the expected names.
bool SslDriver::accepts_chain(X509_STORE_CTX* verification) {
  const ContextSettings& settings = context_->settings();
  if (settings.role == Role::client && settings.verify == PeerCheck::pinned)
    return accepts_peer(verification);
  PeerCache& peers = context_->peers();
  if (peers.recall(verification, expected_key_))
    return !context_->authorisation().changes() || accepts_peer(verification);
  if (keyring::verify_chain(verification, settings.sites) != 1) return false;
  if (X509_STORE_CTX_get_error(verification) != X509_V_OK || refusal_) return true;
  if (!accepts_peer(verification)) return false;
  if (!refusal_) peers.remember(verification, expected_key_);
  return true;
}

// Of a peer whose certificate is genuine: whether it is one that we want.
bool SslDriver::accepts_peer(X509_STORE_CTX* verification) {
  const ContextSettings& settings = context_->settings();
  const X509* const certificate = X509_STORE_CTX_get0_cert(verification);
  if (settings.role == Role::client && settings.verify == PeerCheck::full &&
      expected_.is_ambiguous()) {
    if (auto unnamed = lacks_a_name(certificate, expected_))
      return refuse(verification, X509_V_ERR_HOSTNAME_MISMATCH, std::move(*unnamed));
  }
  if (auto unpinned = lacks_pin(settings, verification)) {
    return refuse(verification, X509_V_ERR_CERT_REJECTED, std::move(*unpinned));
  }
  if (auto denied = context_->authorisation().refuse(certificate, settings.role)) {
    return refuse(verification, not_authorised, std::move(*denied));
  }
  return true;
}

int SslDriver::verify_chain(X509_STORE_CTX* verification, void*) {
  try {
    return of(verification).accepts_chain(verification) ? 1 : 0;
  } catch (const std::bad_alloc&) {  // must not unwind through OpenSSL's frames
    X509_STORE_CTX_set_error(verification, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
}

int SslDriver::on_verify(int ok, X509_STORE_CTX* verification) {
  if (ok == 1) return 1;
  SslDriver& driver = of(verification);
  if (is_forgiven(driver.context_->settings(), verification)) {
    X509_STORE_CTX_set_error(verification, X509_V_OK);
    return 1;
  }
  const int error = X509_STORE_CTX_get_error(verification);
  const bool goes_on = driver.refuse(
      verification, error,
      diagnose_certificate(error, X509_STORE_CTX_get_error_depth(verification),
                           X509_STORE_CTX_get_current_cert(verification),
                           driver.context_->settings().role, describe(driver.expected_)));
  return goes_on ? 1 : 0;
}

std::time_t SslDriver::session_end() {
  if (session_end_) return *session_end_;
  if (SSL_session_reused(ssl_) == 1) {
    // Of a client OpenSSL may have put a new session in the place of the one that it offered.
    const SSL_SESSION* const resumed = offered_ ? offered_.get() : SSL_get_session(ssl_);
    session_end_ = engine::session_end(resumed).value_or(0);
  } else {
    session_end_ = end_of_session(ssl_, context_->settings(), staple_until_, std::time(nullptr));
  }
  return *session_end_;
}

int SslDriver::on_new_session(SSL* ssl, SSL_SESSION* session) {
  SslDriver& driver = of(ssl);
  set_session_end(session, driver.session_end());
  driver.context_->sessions().put(driver.session_key_, SessionPtr(session));
  return 1;  // the reference is ours
}

int SslDriver::on_server_name(SSL* ssl, int* alert, void*) {
  SslDriver& driver = of(ssl);
  const Context& context = *driver.context_;
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (SSL_CTX* const chosen = context.server_names().find(name == nullptr ? "" : name)) {
    SSL_set_SSL_CTX(ssl, chosen);
    return SSL_TLSEXT_ERR_OK;
  }
  if (!context.settings().refuse_unknown_names) return SSL_TLSEXT_ERR_OK;
  const bool goes_on =
      driver.refuse({Cause::not_allowed,
                     name == nullptr ? "the client asks for no server name (SNI)"
                                     : "the client asks for \"" + printable(name) +
                                           "\", for which there is no certificate",
                     "add the name to sni in the policy, or set sni_unmatched to \"default\""});
  if (goes_on) return SSL_TLSEXT_ERR_OK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int SslDriver::on_staple_wanted(SSL* ssl, void*) { return of(ssl).context_->staples().attach(ssl); }

int SslDriver::on_staple(SSL* ssl, void*) {
  SslDriver& driver = of(ssl);
  if (SSL_session_reused(ssl) == 1) return 1;  // it began with a response that is still good
  auto until = check_staple(ssl, driver.context_->settings().trust.get());
  if (until) {
    driver.staple_until_ = *until;
    return 1;
  }
  return driver.refuse(std::move(until.error())) ? 1 : 0;
}

// Server, before each ticket is written.
int SslDriver::on_new_ticket(SSL* ssl, void*) {
  set_session_end(SSL_get_session(ssl), of(ssl).session_end());
  return 1;
}

int SslDriver::on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv,
                             EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt) {
  return of(ssl).context_->ticket_keys().prepare(name, iv, cipher, mac, encrypt != 0);
}

SSL_TICKET_RETURN SslDriver::on_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, size_t,
                                       SSL_TICKET_STATUS status, void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  try {
    if (!may_resume(*of(ssl).context_, session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  } catch (const std::bad_alloc&) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace gaiter::engine
