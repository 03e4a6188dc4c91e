#include "engine/peer_cache.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/moment.h"

// --wrap=d2i_X509 gives OpenSSL's function the first name, and calls of it the
// second. Weak, since without that option there is no such thing.
extern "C" [[gnu::weak]] X509* __real_d2i_X509(X509** to, const uint8_t** from, long length);
extern "C" X509* __wrap_d2i_X509(X509** to, const uint8_t** from, long length);

namespace gaiter::engine {
namespace {

constinit thread_local const PeerCache* parsing = nullptr;

std::string encoded(const X509* certificate) {
  uint8_t* bytes = nullptr;
  const int length = i2d_X509(certificate, &bytes);
  if (length <= 0) return "";
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
  OPENSSL_free(bytes);
  return text;
}

CertificatePtr share(X509* certificate) {
  return CertificatePtr(X509_up_ref(certificate) == 1 ? certificate : nullptr);
}

// Whether what is verified is the first of what the peer showed, as TLS has it.
bool leads(X509_STORE_CTX* verification, const STACK_OF(X509) * shown) {
  return sk_X509_num(shown) > 0 &&
         sk_X509_value(shown, 0) == X509_STORE_CTX_get0_cert(verification);
}

bool with_crls(X509_STORE_CTX* verification) {
  const unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(verification));
  return (flags & (X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)) != 0;
}

}  // namespace

bool PeerCache::recall(X509_STORE_CTX* verification, const std::string& name) {
  if (with_crls(verification)) return false;
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(answers_, [&](const Answer& answer) {
    return answer.name == name && shows(answer, verification);
  });
  if (found == answers_.end()) return false;
  STACK_OF(X509)* const chain =
      in_time(*found) ? X509_chain_up_ref(found->verified.get()) : nullptr;
  if (chain == nullptr) {
    answers_.erase(found);
    return false;
  }
  answers_.splice(answers_.begin(), answers_, found);
  X509_STORE_CTX_set0_verified_chain(verification, chain);
  X509_STORE_CTX_set_error(verification, X509_V_OK);
  return true;
}

void PeerCache::remember(X509_STORE_CTX* verification, const std::string& name) {
  if (with_crls(verification) || capacity_ == 0) return;
  Answer answer{name, {}, ChainPtr(X509_STORE_CTX_get1_chain(verification)),
                0,    0,  std::chrono::steady_clock::now()};
  const STACK_OF(X509)* const shown = X509_STORE_CTX_get0_untrusted(verification);
  bool complete = answer.verified != nullptr && leads(verification, shown);
  for (int i = 0; complete && i < sk_X509_num(shown); ++i) {
    X509* const certificate = sk_X509_value(shown, i);
    answer.shown.push_back({encoded(certificate), share(certificate)});
    complete = !answer.shown.back().bytes.empty() && answer.shown.back().certificate != nullptr;
  }
  for (int i = 0; complete && i < sk_X509_num(answer.verified.get()); ++i) {
    const X509* const certificate = sk_X509_value(answer.verified.get(), i);
    const auto from = moment(X509_get0_notBefore(certificate));
    const auto until = moment(X509_get0_notAfter(certificate));
    complete = from && until;
    if (!complete) break;
    answer.valid_from = i == 0 ? *from : std::max(answer.valid_from, *from);
    answer.valid_until = i == 0 ? *until : std::min(answer.valid_until, *until);
  }
  if (!complete) return;

  const std::lock_guard lock(mutex_);
  // Parsed twice, by two threads at once: only one of them can be found.
  std::erase_if(answers_, [&answer](const Answer& old) {
    return old.name == answer.name &&
           std::ranges::equal(old.shown, answer.shown, {}, &Shown::bytes, &Shown::bytes);
  });
  answers_.push_front(std::move(answer));
  if (answers_.size() > capacity_) answers_.pop_back();
}

size_t PeerCache::size() const {
  const std::lock_guard lock(mutex_);
  return answers_.size();
}

X509* PeerCache::parsed(std::span<const uint8_t> bytes) const {
  const std::string_view wanted(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::lock_guard lock(mutex_);
  for (const Answer& answer : answers_) {
    for (const Shown& shown : answer.shown)
      if (shown.bytes == wanted) return share(shown.certificate.get()).release();
  }
  return nullptr;
}

bool PeerCache::shows(const Answer& answer, X509_STORE_CTX* verification) {
  const STACK_OF(X509)* const shown = X509_STORE_CTX_get0_untrusted(verification);
  if (!leads(verification, shown) || answer.shown.size() != static_cast<size_t>(sk_X509_num(shown)))
    return false;
  for (size_t i = 0; i != answer.shown.size(); ++i) {
    if (answer.shown[i].certificate.get() != sk_X509_value(shown, static_cast<int>(i)))
      return false;
  }
  return true;
}

bool PeerCache::in_time(const Answer& answer) const {
  const std::time_t now = std::time(nullptr);
  return answer.valid_from <= now && now < answer.valid_until &&
         std::chrono::steady_clock::now() - answer.given < lifetime_;
}

PeerCache::Parsing::Parsing(PeerCache& cache) { parsing = &cache; }

PeerCache::Parsing::~Parsing() { parsing = nullptr; }

}  // namespace gaiter::engine

X509* __wrap_d2i_X509(X509** to, const uint8_t** from, long length) {
  using gaiter::engine::parsing;
  if (parsing != nullptr && to != nullptr && length > 0) {
    const std::span bytes(*from, static_cast<size_t>(length));
    if (X509* const known = parsing->parsed(bytes); known != nullptr) {
      X509_free(*to);
      *from += length;
      return *to = known;
    }
  }
  return __real_d2i_X509(to, from, length);
}
