#include "engine/sessions.h"

#include <algorithm>
#include <ctime>
#include <span>
#include <utility>

#include "engine/session_end.h"

namespace gaiter::engine {
namespace {

// TLS 1.2 leaves the age of a session to the client; OpenSSL checks only 1.3's.
bool in_time(const SSL_SESSION* session) {
  long lifetime = SSL_SESSION_get_timeout(session);
  if (const auto hint = static_cast<long>(SSL_SESSION_get_ticket_lifetime_hint(session)); hint != 0)
    lifetime = std::min(lifetime, hint);
  return std::time(nullptr) < SSL_SESSION_get_time(session) + lifetime;
}

bool usable(const SSL_SESSION* session) {
  return SSL_SESSION_is_resumable(session) == 1 && in_time(session) &&
         is_in_time(session, std::time(nullptr)) && peer_certificate_in_date(session);
}

bool same(const SSL_SESSION* one, const SSL_SESSION* other) {
  unsigned one_length = 0, other_length = 0;
  const uint8_t* const one_id = SSL_SESSION_get_id(one, &one_length);
  const uint8_t* const other_id = SSL_SESSION_get_id(other, &other_length);
  return std::ranges::equal(std::span(one_id, one_length), std::span(other_id, other_length));
}

}  // namespace

void SessionCache::put(const std::string& key, SessionPtr session) {
  const std::lock_guard lock(mutex_);
  if (capacity_ == 0) return;
  if (const auto found = index_.find(key); found != index_.end()) {
    found->second->session = std::move(session);
    entries_.splice(entries_.begin(), entries_, found->second);
    return;
  }
  entries_.push_front({key, std::move(session)});
  index_.emplace(entries_.front().key, entries_.begin());
  if (entries_.size() > capacity_) erase(std::prev(entries_.end()));
}

SessionPtr SessionCache::get(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  const Entries::iterator entry = found->second;
  if (!usable(entry->session.get())) {
    erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  // A copy, since OpenSSL marks what a TLS 1.3 client used as used up.
  return SessionPtr(SSL_SESSION_dup(entry->session.get()));
}

void SessionCache::forget(const std::string& key, const SSL_SESSION* session) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found != index_.end() && same(found->second->session.get(), session)) erase(found->second);
}

size_t SessionCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void SessionCache::erase(Entries::iterator entry) {
  index_.erase(entry->key);
  entries_.erase(entry);
}

bool peer_certificate_in_date(const SSL_SESSION* session) {
  // The getter lacks a const only.
  const X509* certificate = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  return certificate == nullptr || X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

}  // namespace gaiter::engine
