// Peers whose certificates were verified a short while ago.
//
// A client comes back to the same few servers, and each full handshake shows it
// the same certificates. OpenSSL 3 spends a third of such a handshake on parsing
// and verifying them anew. Here the answer is given once more when nothing has
// changed that it depends on: the bytes of every certificate that the peer showed,
// the name that was asked for, the rule's trust and settings (the cache is one
// Context's), and the clock being within the validity of the whole verified chain.
// That the peer holds the key is proved by OpenSSL in every handshake.
//
// Parsing is saved in a link with --wrap=d2i_X509 only, and without it nothing is
// ever found: answers go by the identity of parsed certificates.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <ctime>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "keyring/openssl.h"

namespace gaiter::engine {

struct ChainDeleter {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using ChainPtr = std::unique_ptr<STACK_OF(X509), ChainDeleter>;

// Thread-safe.
class PeerCache {
 public:
  // Beyond `capacity` answers the one not used for longest goes. None is given
  // for longer than `lifetime`, by a clock that nobody sets.
  PeerCache(size_t capacity, std::chrono::seconds lifetime)
      : capacity_(capacity), lifetime_(lifetime) {}
  PeerCache(const PeerCache&) = delete;
  PeerCache& operator=(const PeerCache&) = delete;

  // Instead of X509_verify_cert(3): true if the same was verified before, and
  // leaves `verification` as that left it. Never with CRLs, whose time runs too.
  bool recall(X509_STORE_CTX* verification, const std::string& name);

  // After X509_verify_cert(3) said yes.
  void remember(X509_STORE_CTX* verification, const std::string& name);

  size_t size() const;

  // While it lives, certificates that this thread parses are looked for in the
  // cache first.
  class Parsing {
   public:
    explicit Parsing(PeerCache& cache);
    ~Parsing();
    Parsing(const Parsing&) = delete;
    Parsing& operator=(const Parsing&) = delete;
  };

  // The certificate of exactly these bytes, with a reference for the caller; or
  // null.
  X509* parsed(std::span<const uint8_t> bytes) const;

 private:
  struct Shown {
    std::string bytes;
    CertificatePtr certificate;
  };
  struct Answer {
    std::string name;
    std::vector<Shown> shown;  // as they came, the peer's own first
    ChainPtr verified;
    std::time_t valid_from;  // of all of `verified`
    std::time_t valid_until;
    std::chrono::steady_clock::time_point given;
  };

  static bool shows(const Answer& answer, X509_STORE_CTX* verification);
  bool in_time(const Answer& answer) const;

  const size_t capacity_;
  const std::chrono::seconds lifetime_;
  mutable std::mutex mutex_;
  std::list<Answer> answers_;  // most recently used first
};

}  // namespace gaiter::engine
