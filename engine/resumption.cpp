#include "engine/resumption.h"

#include "engine/authorisation.h"
#include "engine/session_end.h"

namespace gaiter::engine {

bool may_resume(const Context& context, SSL_SESSION* session) {
  const ContextSettings& settings = context.settings();
  if (settings.tickets == 0 || !is_in_time(session, std::time(nullptr))) return false;
  const X509* const peer = SSL_SESSION_get0_peer(session);
  if (peer == nullptr) return settings.client_auth != PeerCertificate::required;
  return peer_certificate_in_date(session) && !context.authorisation().refuse(peer, settings.role);
}

}  // namespace gaiter::engine
