#include "engine/session_end.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/moment.h"

namespace gaiter::engine {
namespace {

// In the session, where OpenSSL keeps "application data" of tickets: a version, then the
// time as a big-endian number.
constexpr uint8_t format = 1;
using Stored = std::array<uint8_t, 1 + 8>;

// A time that cannot be read is one that has passed.
std::time_t or_never(std::optional<std::time_t> time) { return time.value_or(0); }

// Whether the CRL is by the issuer of one in the chain.
bool concerns(const X509_CRL* crl, const STACK_OF(X509) * chain) {
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(sk_X509_value(chain, i))) == 0)
      return true;
  }
  return false;
}

}  // namespace

std::time_t end_of_session(const SSL* ssl, const ContextSettings& settings,
                           std::optional<std::time_t> staple, std::time_t now) {
  std::time_t end = now + settings.session_lifetime.count();
  if (staple) end = std::min(end, *staple);
  // The getter lacks a const only.
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(const_cast<SSL*>(ssl));
  for (int i = 0; i < sk_X509_num(chain); ++i)
    end = std::min(end, or_never(moment(X509_get0_notAfter(sk_X509_value(chain, i)))));
  for (const CrlPtr& crl : settings.crls) {
    const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(crl.get());
    if (next == nullptr || !concerns(crl.get(), chain)) continue;
    // One that is out of date was forgiven, or another one was there.
    if (const std::time_t until = or_never(moment(next)); until > now) end = std::min(end, until);
  }
  return end;
}

bool set_session_end(SSL_SESSION* session, std::time_t end) {
  Stored stored{format};
  auto rest = static_cast<uint64_t>(std::max<std::time_t>(end, 0));
  for (size_t i = stored.size(); --i != 0; rest >>= 8) stored[i] = static_cast<uint8_t>(rest);
  // OpenSSL counts from the session's own time, and makes no ticket of one that lasts no time.
  const long left = std::max(static_cast<long>(end) - SSL_SESSION_get_time(session), 1L);
  SSL_SESSION_set_timeout(session, std::min(left, SSL_SESSION_get_timeout(session)));
  return SSL_SESSION_set1_ticket_appdata(session, stored.data(), stored.size()) == 1;
}

std::optional<std::time_t> session_end(const SSL_SESSION* session) {
  void* data = nullptr;
  size_t length = 0;
  // Lacks a const only.
  SSL_SESSION_get0_ticket_appdata(const_cast<SSL_SESSION*>(session), &data, &length);
  Stored stored;
  if (data == nullptr || length != stored.size()) return std::nullopt;
  std::memcpy(stored.data(), data, stored.size());
  if (stored[0] != format) return std::nullopt;
  uint64_t end = 0;
  for (size_t i = 1; i != stored.size(); ++i) end = end << 8 | stored[i];
  return static_cast<std::time_t>(end);
}

bool is_in_time(const SSL_SESSION* session, std::time_t now) {
  const std::optional<std::time_t> end = session_end(session);
  return end && now < *end;
}

}  // namespace gaiter::engine
