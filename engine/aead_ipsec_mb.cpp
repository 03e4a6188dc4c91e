// The library's own start, init_mb_mgr_auto(), would link its code for every
// algorithm and CPU, 15 MB. We call the functions of the few instruction sets
// that are worth it; they need no set-up and keep no state of their own.
#ifdef GAITER_IPSEC_MB

#include "engine/aead_ipsec_mb.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <type_traits>

#include "engine/aead_cache.h"
#include "engine/aead_scatter.h"

// Last, and nowhere else: it defines macros named SHA1, AES...
#include <intel-ipsec-mb.h>

// Most of these are in the library but not in its header.
#define GAITER_DECLARE_GCM(size, set)                                                              \
  std::remove_pointer_t<aes_gcm_precomp_t> aes_gcm_precomp_##size##_##set;                         \
  std::remove_pointer_t<aes_gcm_enc_dec_t> aes_gcm_enc_##size##_##set, aes_gcm_dec_##size##_##set; \
  std::remove_pointer_t<aes_gcm_init_t> aes_gcm_init_##size##_##set;                               \
  std::remove_pointer_t<aes_gcm_enc_dec_update_t> aes_gcm_enc_##size##_update_##set,               \
      aes_gcm_dec_##size##_update_##set;                                                           \
  std::remove_pointer_t<aes_gcm_enc_dec_finalize_t> aes_gcm_enc_##size##_finalize_##set,           \
      aes_gcm_dec_##size##_finalize_##set;
extern "C" {
GAITER_DECLARE_GCM(128, sse)
GAITER_DECLARE_GCM(256, sse)
GAITER_DECLARE_GCM(128, avx_gen4)
GAITER_DECLARE_GCM(256, avx_gen4)
GAITER_DECLARE_GCM(128, vaes_avx512)
GAITER_DECLARE_GCM(256, vaes_avx512)
std::remove_pointer_t<chacha_poly_init_t> init_chacha20_poly1305_fma_avx512;
std::remove_pointer_t<chacha_poly_enc_dec_update_t> update_enc_chacha20_poly1305_fma_avx512,
    update_dec_chacha20_poly1305_fma_avx512;
std::remove_pointer_t<chacha_poly_finalize_t> finalize_chacha20_poly1305_fma_avx512;
}
#undef GAITER_DECLARE_GCM

namespace gaiter::engine {
namespace {

struct Gcm {
  void (*expand_aes)(const void* key, void* round_keys);
  aes_gcm_precomp_t expand_ghash;
  aes_gcm_init_t init;
  aes_gcm_enc_dec_t seal;
  aes_gcm_enc_dec_update_t seal_update;
  aes_gcm_enc_dec_finalize_t seal_finish;
  aes_gcm_enc_dec_t open;
  aes_gcm_enc_dec_update_t open_update;
  aes_gcm_enc_dec_finalize_t open_finish;
};

#define GAITER_GCM(size, set, aes_set)                                          \
  {                                                                             \
    aes_keyexp_##size##_enc_##aes_set, aes_gcm_precomp_##size##_##set,          \
        aes_gcm_init_##size##_##set, aes_gcm_enc_##size##_##set,                \
        aes_gcm_enc_##size##_update_##set, aes_gcm_enc_##size##_finalize_##set, \
        aes_gcm_dec_##size##_##set, aes_gcm_dec_##size##_update_##set,          \
        aes_gcm_dec_##size##_finalize_##set                                     \
  }

// AVX without AVX2, and AVX-512 without VAES, gain nothing over their neighbour.
struct Code {
  const char* description;
  Gcm aes_128, aes_256;
};
constexpr Code codes[] = {
    {"ipsec-mb (sse)", GAITER_GCM(128, sse, sse), GAITER_GCM(256, sse, sse)},
    {"ipsec-mb (avx2)", GAITER_GCM(128, avx_gen4, avx2), GAITER_GCM(256, avx_gen4, avx2)},
    {"ipsec-mb (vaes-avx512)", GAITER_GCM(128, vaes_avx512, avx2),
     GAITER_GCM(256, vaes_avx512, avx2)},
};
#undef GAITER_GCM

// Needs __builtin_cpu_init(). The compiler's answers include the kernel's part
// (XCR0): registers that it does not save do not count.
bool can_run(InstructionSet set) {
  switch (set) {
    case InstructionSet::vaes_avx512:
      return can_run(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vaes") &&
             __builtin_cpu_supports("vpclmulqdq");
    case InstructionSet::avx2:
      return can_run(InstructionSet::sse) && __builtin_cpu_supports("avx2") &&
             __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    case InstructionSet::sse:
      break;
  }
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("aes") &&
         __builtin_cpu_supports("pclmul");
}

// The code in use; null before the first call of supports(), or without AES-NI.
constinit std::atomic<const Code*> code{nullptr};

// Places for 512 connections' keys: 1.1 MiB of address space, of which only what
// was used is ever backed by memory. Expanding again costs 70 to 120 ns.
struct ExpandedKey {
  KeySlot slot;
  alignas(64) gcm_key_data data;  // its header asks for this only if LINUX is defined
};
constexpr size_t table_size = 1024;
alignas(4096) constinit ExpandedKey table[table_size] = {};
static_assert(sizeof table % 4096 == 0);

void expand(const Gcm& gcm, const AeadKey& key, gcm_key_data& data) {
  gcm.expand_aes(key.key, data.expanded_keys);
  gcm.expand_ghash(&data);
}

class GcmOperation {
 public:
  GcmOperation(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional)
      : gcm_(key.cipher == Cipher::aes_128_gcm ? code.load(std::memory_order_relaxed)->aes_128
                                               : code.load(std::memory_order_relaxed)->aes_256),
        nonce_(nonce),
        additional_(additional) {
    ExpandedKey& cached = table[key.id % table_size];
    if (cached.slot.try_acquire()) {
      slot_ = &cached.slot;
      expanded_ = &cached.data;
      if (!slot_->holds(key)) {
        slot_->forget_name();
        expand(gcm_, key, cached.data);
        slot_->take_name(key);
      }
    } else {
      expanded_ = &own_;
      expand(gcm_, key, own_);
    }
  }
  ~GcmOperation() {
    if (slot_ != nullptr) {
      slot_->release();
    } else {
      OPENSSL_cleanse(&own_, sizeof own_);
    }
  }
  GcmOperation(const GcmOperation&) = delete;
  GcmOperation& operator=(const GcmOperation&) = delete;

  void start() { gcm_.init(expanded_, &context_, nonce_, additional_.data(), additional_.size()); }

 protected:
  const Gcm& gcm_;
  const Nonce& nonce_;
  std::span<const uint8_t> additional_;
  const gcm_key_data* expanded_;
  alignas(64) gcm_context_data context_;

 private:
  KeySlot* slot_ = nullptr;
  alignas(64) gcm_key_data own_;  // only when the key's place in the table is taken
};

struct GcmSealing : GcmOperation {
  using GcmOperation::GcmOperation;
  bool seal(uint8_t* to, const uint8_t* from, size_t length, uint8_t* tag) {
    gcm_.seal(expanded_, &context_, to, from, length, nonce_, additional_.data(),
              additional_.size(), tag, aead_tag_length);
    return true;
  }
  void update(uint8_t* to, const uint8_t* from, size_t length) {
    gcm_.seal_update(expanded_, &context_, to, from, length);
  }
  bool finish(uint8_t* tag) {
    gcm_.seal_finish(expanded_, &context_, tag, aead_tag_length);
    return true;
  }
};

struct GcmOpening : GcmOperation {
  using GcmOperation::GcmOperation;
  bool open(uint8_t* to, const uint8_t* from, size_t length, const uint8_t* tag) {
    uint8_t right[aead_tag_length];
    gcm_.open(expanded_, &context_, to, from, length, nonce_, additional_.data(),
              additional_.size(), right, sizeof right);
    return CRYPTO_memcmp(tag, right, sizeof right) == 0;
  }
  void update(uint8_t* to, const uint8_t* from, size_t length) {
    gcm_.open_update(expanded_, &context_, to, from, length);
  }
  bool verify(const uint8_t* tag) {
    uint8_t right[aead_tag_length];
    gcm_.open_finish(expanded_, &context_, right, sizeof right);
    return CRYPTO_memcmp(tag, right, sizeof right) == 0;
  }
};

// Needs no expanded key. Without AVX-512 IFMA, OpenSSL's is the faster one.
class ChaChaOperation {
 public:
  ChaChaOperation(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
                  chacha_poly_enc_dec_update_t cipher)
      : key_(key), nonce_(nonce), additional_(additional), cipher_(cipher) {}

  void start() {
    init_chacha20_poly1305_fma_avx512(key_.key, &context_, nonce_, additional_.data(),
                                      additional_.size());
  }
  void update(uint8_t* to, const uint8_t* from, size_t length) {
    cipher_(key_.key, &context_, to, from, length);
  }
  bool finish(uint8_t* tag) {
    finalize_chacha20_poly1305_fma_avx512(&context_, tag, aead_tag_length);
    return true;
  }
  bool verify(const uint8_t* tag) {
    uint8_t right[aead_tag_length];
    finish(right);
    return CRYPTO_memcmp(tag, right, sizeof right) == 0;
  }

 private:
  const AeadKey& key_;
  const Nonce& nonce_;
  std::span<const uint8_t> additional_;
  chacha_poly_enc_dec_update_t cipher_;
  alignas(64) chacha20_poly1305_context_data context_;
};

bool supports(Cipher cipher) {
  if (code.load(std::memory_order_relaxed) == nullptr) {
    // Expanded keys have no business in a core dump.
    madvise(table, sizeof table, MADV_DONTDUMP);
    for (const auto set :
         {InstructionSet::vaes_avx512, InstructionSet::avx2, InstructionSet::sse}) {
      if (use_instruction_set(set)) break;
    }
  }
  const Code* const chosen = code.load(std::memory_order_relaxed);
  if (cipher != Cipher::chacha20_poly1305) return chosen != nullptr;
  return chosen == &codes[static_cast<size_t>(InstructionSet::vaes_avx512)] &&
         __builtin_cpu_supports("avx512ifma");
}

void seal(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
          IovCursor& plaintext, size_t length, std::span<const uint8_t> trailer, uint8_t* out) {
  if (key.cipher == Cipher::chacha20_poly1305) {
    ChaChaOperation operation(key, nonce, additional, update_enc_chacha20_poly1305_fma_avx512);
    seal_scattered(operation, plaintext, length, trailer, out);
  } else {
    GcmSealing operation(key, nonce, additional);
    seal_scattered(operation, plaintext, length, trailer, out);
  }
}

bool open(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
          std::span<uint8_t> text, IovCursor& sink, size_t sink_length) {
  if (key.cipher == Cipher::chacha20_poly1305) {
    ChaChaOperation operation(key, nonce, additional, update_dec_chacha20_poly1305_fma_avx512);
    return open_scattered(operation, text, sink, sink_length);
  }
  GcmOpening operation(key, nonce, additional);
  return open_scattered(operation, text, sink, sink_length);
}

void wipe(ExpandedKey& cached) {
  cached.slot.wipe();
  OPENSSL_cleanse(&cached.data, sizeof cached.data);
}

void forget(const AeadKey& key) {
  ExpandedKey& cached = table[key.id % table_size];
  if (!cached.slot.try_acquire()) return;
  if (cached.slot.holds(key.id)) wipe(cached);
  cached.slot.release();
}

const char* describe() {
  const Code* const chosen = code.load(std::memory_order_relaxed);
  return chosen != nullptr ? chosen->description : "ipsec-mb";
}

}  // namespace

bool use_instruction_set(InstructionSet set) {
  __builtin_cpu_init();
  if (!can_run(set)) return false;
  const Code* const chosen = &codes[static_cast<size_t>(set)];
  const Code* const before = code.exchange(chosen, std::memory_order_relaxed);
  // An expanded key has another layout for each.
  if (before != nullptr && before != chosen) {
    for (ExpandedKey& cached : table) wipe(cached);
  }
  return true;
}

const AeadBackEnd ipsec_mb_back_end = {supports, seal, open, forget, describe};

const char* ipsec_mb_version() { return IMB_VERSION_STR; }

}  // namespace gaiter::engine

#endif
