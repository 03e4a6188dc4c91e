#include "engine/ssl_driver.h"

#include <openssl/err.h>

#include <new>
#include <utility>

#include "engine/diagnosis.h"
#include "engine/secret_log.h"

namespace gaiter::engine {

void SslDriver::install_callbacks(SSL_CTX* context) {
  install_secret_log(context);
  SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), on_verify);
  SSL_CTX_set_cert_verify_callback(context, verify_chain, nullptr);
  SSL_CTX_sess_set_new_cb(context, on_new_session);
}

std::unique_ptr<SslDriver> SslDriver::make(std::shared_ptr<const Context> context,
                                           std::string wanted_name, std::string session_key) {
  std::unique_ptr<SslDriver> driver(new SslDriver);
  driver->context_ = std::move(context);
  driver->wanted_name_ = std::move(wanted_name);
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
  const int result = SSL_do_handshake(ssl_);
  const bool starved = result != 1 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
  records = pipe_.input;
  pipe_.input = {};
  pipe_.output = nullptr;
  if (result == 1) return Outcome::done;
  return starved ? Outcome::want_input : Outcome::failed;
}

bool SslDriver::take_post_handshake(std::span<const uint8_t> record) {
  pipe_.input = record;
  pipe_.record_rest = 0;
  uint8_t byte;
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

// What is verified follows from the Context and the wanted name.
int SslDriver::verify_chain(X509_STORE_CTX* verification, void*) {
  const SslDriver& driver = of(verification);
  PeerCache& peers = driver.context_->peers();
  if (peers.recall(verification, driver.wanted_name_)) return 1;
  if (X509_verify_cert(verification) != 1) return 0;
  if (X509_STORE_CTX_get_error(verification) == X509_V_OK) {
    try {
      peers.remember(verification, driver.wanted_name_);
    } catch (const std::bad_alloc&) {
      // Verified is verified. Must not unwind through OpenSSL's frames.
    }
  }
  return 1;
}

int SslDriver::on_verify(int ok, X509_STORE_CTX* verification) {
  if (ok == 1) return 1;
  SslDriver& driver = of(verification);
  if (!driver.refused_certificate_)
    driver.refused_certificate_ = diagnose_certificate(
        X509_STORE_CTX_get_error(verification), X509_STORE_CTX_get_error_depth(verification),
        X509_STORE_CTX_get_current_cert(verification), driver.context_->settings().role,
        driver.wanted_name_);
  return 0;
}

int SslDriver::on_new_session(SSL* ssl, SSL_SESSION* session) {
  const SslDriver& driver = of(ssl);
  driver.context_->sessions().put(driver.session_key_, SessionPtr(session));
  return 1;  // the reference is ours
}

}  // namespace gaiter::engine
