#include "engine/aead_openssl.h"

#include <openssl/evp.h>
#include <sched.h>

#include "engine/aead_cache.h"
#include "engine/aead_scatter.h"
#include "keyring/openssl.h"

namespace gaiter::engine {
namespace {

// Enough for the keys that are in use at one time; a key without a place here
// costs about 150 ns more per record. About 1.2 KiB of heap each.
constexpr size_t pool_size = 128;

struct PooledContext {
  KeySlot slot;
  EVP_CIPHER_CTX* context = nullptr;
};

EVP_CIPHER_CTX* new_context(const EVP_CIPHER* cipher) {
  EVP_CIPHER_CTX* context = cipher != nullptr ? EVP_CIPHER_CTX_new() : nullptr;
  if (context != nullptr && EVP_CipherInit_ex(context, cipher, nullptr, nullptr, nullptr, 1) != 1) {
    EVP_CIPHER_CTX_free(context);
    return nullptr;
  }
  return context;
}

// One cipher's contexts, all made at once: later calls, perhaps from a signal
// handler, must not need the heap.
struct Pool {
  explicit Pool(Cipher which)
      : cipher(EVP_CIPHER_fetch(library_context(), name(which), nullptr)), complete(true) {
    for (PooledContext& pooled : contexts) {
      pooled.context = new_context(cipher);
      complete = complete && pooled.context != nullptr;
    }
  }

  EVP_CIPHER* cipher;
  bool complete;
  PooledContext contexts[pool_size]{};
};

template <Cipher which>
Pool& pool_of() {
  static Pool pool(which);
  return pool;
}

Pool& pool_of(Cipher cipher) {
  switch (cipher) {
    case Cipher::aes_128_gcm:
      return pool_of<Cipher::aes_128_gcm>();
    case Cipher::aes_256_gcm:
      return pool_of<Cipher::aes_256_gcm>();
    case Cipher::chacha20_poly1305:
      break;
  }
  return pool_of<Cipher::chacha20_poly1305>();
}

class OpenSslOperation {
 public:
  enum Direction { opening = 0, sealing = 1 };

  OpenSslOperation(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
                   Direction direction)
      : key_(key), nonce_(nonce), additional_(additional), direction_(direction) {
    Pool& pool = pool_of(key.cipher);
    for (;;) {
      for (size_t i = 0; i != pool_size; ++i) {
        PooledContext& pooled = pool.contexts[(key.id + i) % pool_size];
        if (pooled.slot.try_acquire()) {
          pooled_ = &pooled;
          context_ = pooled.context;
          return;
        }
      }
      // More threads than contexts. Without memory, one of them must end first.
      context_ = new_context(pool.cipher);
      if (context_ != nullptr) return;
      sched_yield();
    }
  }
  ~OpenSslOperation() {
    if (pooled_ != nullptr) {
      pooled_->slot.release();
    } else {
      EVP_CIPHER_CTX_free(context_);
    }
  }
  OpenSslOperation(const OpenSslOperation&) = delete;
  OpenSslOperation& operator=(const OpenSslOperation&) = delete;

  void start() {
    if (pooled_ != nullptr && pooled_->slot.holds(key_)) {
      check(EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce_, direction_));
    } else {
      if (pooled_ != nullptr) pooled_->slot.forget_name();
      check(EVP_CipherInit_ex(context_, nullptr, nullptr, key_.key, nonce_, direction_));
      if (pooled_ != nullptr && good_) pooled_->slot.take_name(key_);
    }
    if (!additional_.empty()) update(nullptr, additional_.data(), additional_.size());
  }
  void update(uint8_t* to, const uint8_t* from, size_t length) {
    int written;
    check(EVP_CipherUpdate(context_, to, &written, from, static_cast<int>(length)));
  }
  bool finish(uint8_t* tag) {
    int written;
    check(EVP_CipherFinal_ex(context_, tag, &written));
    check(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, aead_tag_length, tag));
    return good_;
  }
  bool verify(const uint8_t* tag) {
    uint8_t none[EVP_MAX_BLOCK_LENGTH];
    int written;
    check(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, aead_tag_length,
                              const_cast<uint8_t*>(tag)));
    // Compares the tags in constant time.
    check(EVP_CipherFinal_ex(context_, none, &written));
    return good_;
  }

 private:
  void check(int result) { good_ = good_ && result == 1; }

  const AeadKey& key_;
  const Nonce& nonce_;
  std::span<const uint8_t> additional_;
  Direction direction_;
  PooledContext* pooled_ = nullptr;
  EVP_CIPHER_CTX* context_ = nullptr;
  bool good_ = true;
};

bool supports(Cipher cipher) { return pool_of(cipher).complete; }

void seal(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
          IovCursor& plaintext, size_t length, std::span<const uint8_t> trailer, uint8_t* out) {
  OpenSslOperation operation(key, nonce, additional, OpenSslOperation::sealing);
  seal_scattered(operation, plaintext, length, trailer, out);
}

bool open(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
          std::span<uint8_t> text, IovCursor& sink, size_t sink_length) {
  OpenSslOperation operation(key, nonce, additional, OpenSslOperation::opening);
  return open_scattered(operation, text, sink, sink_length);
}

void forget(const AeadKey& key) {
  static constexpr uint8_t zeros[32] = {};
  PooledContext& pooled = pool_of(key.cipher).contexts[key.id % pool_size];
  if (!pooled.slot.try_acquire()) return;
  if (pooled.slot.holds(key.id)) {
    pooled.slot.wipe();
    EVP_CipherInit_ex(pooled.context, nullptr, nullptr, zeros, zeros, 1);
  }
  pooled.slot.release();
}

const char* describe() { return "openssl"; }

}  // namespace

const AeadBackEnd openssl_back_end = {supports, seal, open, forget, describe};

}  // namespace gaiter::engine
