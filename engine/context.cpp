#include "engine/context.h"

#include <openssl/err.h>

#include <utility>

#include "engine/authorisation.h"
#include "engine/diagnosis.h"
#include "engine/fetch_cache.h"
#include "engine/fork_guard.h"
#include "engine/identities.h"
#include "engine/protocol.h"
#include "engine/record_choice.h"
#include "engine/session_scope.h"
#include "engine/ssl_driver.h"
#include "engine/stapling.h"
#include "engine/ticket_keys.h"
#include "engine/verification.h"

namespace gaiter::engine {
namespace {

bool set_sessions(SSL_CTX* context, const ContextSettings& settings) {
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_timeout(context, static_cast<long>(settings.session_lifetime.count()));
  // The record layer's sequence numbers begin at 0: tickets are issued later.
  if (SSL_CTX_set_num_tickets(context, 0) != 1) return false;
  const bool resumes =
      settings.role == Role::client ? settings.session_cache != 0 : settings.tickets != 0;
  if (!resumes) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  if (settings.role == Role::client) {
    SSL_CTX_set_session_cache_mode(
        context, resumes ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    return true;
  }
  // A server keeps nothing: the ticket holds the session.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  const std::optional<Sha256> scope = session_scope(settings);
  return scope && SSL_CTX_set_session_id_context(context, scope->data(),
                                                 static_cast<unsigned>(scope->size())) == 1;
}

}  // namespace

Context::Context(ContextSettings settings)
    : settings_(std::move(settings)), sessions_(settings_.session_cache) {}

std::expected<std::shared_ptr<const Context>, Failure> Context::make(ContextSettings settings) {
  const OpenSslStep step;
  ERR_clear_error();
  remember_fetches();
  std::shared_ptr<Context> context(new Context(std::move(settings)));
  if (auto done = context->set_up(); !done) return std::unexpected(std::move(done.error()));
  return context;
}

std::expected<void, Failure> Context::set_up() {
  if (auto why = contradiction(settings_)) return std::unexpected(std::move(*why));
  if (auto why = missing_engine(settings_)) return std::unexpected(std::move(*why));
  auto authorisation = Authorisation::compile(settings_);
  if (!authorisation)
    return std::unexpected(
        Failure{Cause::local, authorisation.error(), "gaiter check tells what a pattern may be"});
  authorisation_ = std::make_unique<const Authorisation>(std::move(*authorisation));
  ticket_keys_ = std::make_unique<const TicketKeys>(settings_.ticket_keys);
  server_names_ = std::make_unique<ServerNames>();
  staples_ = std::make_unique<Staples>();
  if (!complete_trust(settings_))
    return std::unexpected(diagnose_local("the CRLs of the keyring could not be used", ""));

  auto made = make_ssl_context(settings_.identities);
  if (!made) return std::unexpected(std::move(made.error()));
  ssl_context_ = *made;
  for (const keyring::Identity& identity : settings_.identities) staples_->add(identity);
  for (const NamedIdentities& named : settings_.sni) {
    auto context = make_ssl_context(named.identities);
    if (!context) return std::unexpected(std::move(context.error()));
    server_names_->add(named.pattern, *context);
    for (const keyring::Identity& identity : named.identities) staples_->add(identity);
  }
  return {};
}

std::expected<SSL_CTX*, Failure> Context::make_ssl_context(
    const std::vector<keyring::Identity>& identities) const {
  using Made = std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>>;
  const bool server = settings_.role == Role::server;
  Made made(SSL_CTX_new_ex(library_context(), nullptr,
                           server ? TLS_server_method() : TLS_client_method()));
  if (made == nullptr) return std::unexpected(diagnose_local("OpenSSL could not be set up", ""));
  if (auto set = set_protocol(made.get(), settings_); !set) return std::unexpected(set.error());
  if (!set_sessions(made.get(), settings_))
    return std::unexpected(diagnose_local("OpenSSL could not be set up", ""));
  set_verification(made.get(), settings_);
  if (auto set = set_identities(made.get(), identities); !set) return std::unexpected(set.error());
  SslDriver::install_callbacks(made.get(), *this);
  return made.release();
}

Context::~Context() {
  const OpenSslStep step;
  SSL_CTX_free(ssl_context_);
  server_names_.reset();
}

}  // namespace gaiter::engine
