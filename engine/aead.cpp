#include "engine/aead.h"

#include <atomic>

#include "engine/aead_back_end.h"
#include "engine/aead_ipsec_mb.h"
#include "engine/aead_openssl.h"
#include "engine/self_test.h"

namespace gaiter::engine {
namespace {

const AeadBackEnd& of(BackEnd back_end) {
#ifdef GAITER_IPSEC_MB
  if (back_end == BackEnd::ipsec_mb) return ipsec_mb_back_end;
#endif
  (void)back_end;
  return openssl_back_end;
}

enum class Verdict : uint8_t { untested, passed, failed };
constinit std::atomic<Verdict> verdicts[2][3] = {};

std::atomic<Verdict>& verdict_on(BackEnd back_end, Cipher cipher) {
  return verdicts[static_cast<size_t>(back_end)][static_cast<size_t>(cipher)];
}

// Two threads may run the same test at once, and a child of a fork may run it
// again: that costs microseconds, where a lock could be left behind held.
bool test(BackEnd back_end, Cipher cipher) {
  const bool passed = of(back_end).supports(cipher) && self_test(of(back_end), cipher);
  verdict_on(back_end, cipher)
      .store(passed ? Verdict::passed : Verdict::failed, std::memory_order_release);
  return passed;
}

// Every back end gives the same records. So a key whose own is missing here, in
// a process that only inherited the connection, goes on with another.
const AeadBackEnd& for_key(const AeadKey& key) {
  return of(available(key.back_end, key.cipher) ? key.back_end : best_back_end(key.cipher));
}

}  // namespace

bool available(BackEnd back_end, Cipher cipher) {
#ifndef GAITER_IPSEC_MB
  if (back_end == BackEnd::ipsec_mb) return false;
#endif
  const Verdict known = verdict_on(back_end, cipher).load(std::memory_order_acquire);
  return known == Verdict::untested ? test(back_end, cipher) : known == Verdict::passed;
}

BackEnd best_back_end(Cipher cipher) {
  return available(BackEnd::ipsec_mb, cipher) ? BackEnd::ipsec_mb : BackEnd::openssl;
}

void aead_seal(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
               IovCursor& plaintext, size_t length, std::span<const uint8_t> trailer,
               uint8_t* out) {
  for_key(key).seal(key, nonce, additional, plaintext, length, trailer, out);
}

bool aead_open(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
               std::span<uint8_t> text, IovCursor& sink, size_t sink_length) {
  return for_key(key).open(key, nonce, additional, text, sink, sink_length);
}

void aead_forget(const AeadKey& key) {
  for (const BackEnd back_end : {BackEnd::openssl, BackEnd::ipsec_mb}) {
    // One that was never used holds no key, and must not be set up for this.
    if (verdict_on(back_end, key.cipher).load(std::memory_order_acquire) == Verdict::passed) {
      of(back_end).forget(key);
    }
  }
}

const char* describe(BackEnd back_end) { return of(back_end).describe(); }

const char* name(Cipher cipher) {
  switch (cipher) {
    case Cipher::aes_128_gcm:
      return "AES-128-GCM";
    case Cipher::aes_256_gcm:
      return "AES-256-GCM";
    case Cipher::chacha20_poly1305:
      break;
  }
  return "ChaCha20-Poly1305";
}

#ifndef GAITER_IPSEC_MB
const char* ipsec_mb_version() { return ""; }
#endif

}  // namespace gaiter::engine
