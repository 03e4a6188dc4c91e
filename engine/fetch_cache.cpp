#include "engine/fetch_cache.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <atomic>
#include <cstring>

#include "keyring/openssl.h"

namespace gaiter::engine {
namespace {

constinit std::atomic<OSSL_LIB_CTX*> remembered_context = nullptr;

// A list that only grows. Readers take no lock; of two writers one goes without,
// so a child forked in mid-write is not held up either.
template <class Entry, size_t capacity>
class Remembered {
 public:
  template <class Predicate>
  const Entry* find(const Predicate& matches) const {
    const size_t count = count_.load(std::memory_order_acquire);
    for (size_t i = 0; i != count; ++i)
      if (matches(entries_[i])) return &entries_[i];
    return nullptr;
  }

  // False if there is no room, or another thread adds one.
  bool add(const Entry& entry) {
    if (adding_.test_and_set(std::memory_order_acquire)) return false;
    const size_t count = count_.load(std::memory_order_relaxed);
    const bool room = count != capacity;
    if (room) {
      entries_[count] = entry;
      count_.store(count + 1, std::memory_order_release);
    }
    adding_.clear(std::memory_order_release);
    return room;
  }

 private:
  Entry entries_[capacity] = {};
  std::atomic<size_t> count_ = 0;
  std::atomic_flag adding_;
};

template <class Method>
using Fetch = Method* (*)(OSSL_LIB_CTX*, const char*, const char*);

template <class Method, int (*up_ref)(Method*), void (*release)(Method*)>
class FetchCache {
 public:
  Method* fetch(Fetch<Method> real, OSSL_LIB_CTX* context, const char* name,
                const char* properties) {
    if (properties != nullptr || name == nullptr || context == nullptr ||
        context != remembered_context.load(std::memory_order_relaxed))
      return real(context, name, properties);
    const Named* const known =
        known_.find([name](const Named& entry) { return std::strcmp(entry.name, name) == 0; });
    if (known != nullptr) return up_ref(known->method) == 1 ? known->method : nullptr;
    Method* const method = real(context, name, properties);
    Named fresh = {{}, method};
    if (method == nullptr || std::strlen(name) >= sizeof fresh.name) return method;
    std::strcpy(fresh.name, name);
    if (up_ref(method) == 1 && !known_.add(fresh)) release(method);
    return method;
  }

 private:
  struct Named {
    char name[28];
    Method* method;  // a reference is held for ever
  };
  Remembered<Named, 32> known_;
};

constinit FetchCache<EVP_MD, EVP_MD_up_ref, EVP_MD_free> digests;
constinit FetchCache<EVP_MAC, EVP_MAC_up_ref, EVP_MAC_free> macs;
constinit FetchCache<EVP_KDF, EVP_KDF_up_ref, EVP_KDF_free> kdfs;
constinit FetchCache<EVP_CIPHER, EVP_CIPHER_up_ref, EVP_CIPHER_free> ciphers;
constinit FetchCache<EVP_KEYMGMT, EVP_KEYMGMT_up_ref, EVP_KEYMGMT_free> key_managements;
constinit FetchCache<EVP_KEYEXCH, EVP_KEYEXCH_up_ref, EVP_KEYEXCH_free> key_exchanges;
constinit FetchCache<EVP_SIGNATURE, EVP_SIGNATURE_up_ref, EVP_SIGNATURE_free> signatures;

// All names of one kind of key, for which OpenSSL walks through the names of all
// algorithms.
struct KeyNames {
  const EVP_KEYMGMT* management;  // a reference is held for ever
  const char* names[8];           // of the name map, which never lets go of one
  size_t count;                   // above 8: too many to be remembered
};
constinit Remembered<KeyNames, 16> key_names;

void gather_name(const char* name, void* to) {
  auto& all = *static_cast<KeyNames*>(to);
  if (all.count < std::size(all.names)) all.names[all.count] = name;
  ++all.count;
}

}  // namespace

void remember_fetches() { remembered_context = library_context(); }

}  // namespace gaiter::engine

// __real_X is OpenSSL's X, and __wrap_X what a call of X becomes, with --wrap=X.
// Weak, since without that option there is no such thing.
#define GAITER_WRAP_FETCH(cache, type, function)                                             \
  extern "C" [[gnu::weak]] type* __real_##function(OSSL_LIB_CTX*, const char*, const char*); \
  extern "C" type* __wrap_##function(OSSL_LIB_CTX* context, const char* name,                \
                                     const char* properties);                                \
  type* __wrap_##function(OSSL_LIB_CTX* context, const char* name, const char* properties) { \
    return gaiter::engine::cache.fetch(__real_##function, context, name, properties);        \
  }

GAITER_WRAP_FETCH(digests, EVP_MD, EVP_MD_fetch)
GAITER_WRAP_FETCH(macs, EVP_MAC, EVP_MAC_fetch)
GAITER_WRAP_FETCH(kdfs, EVP_KDF, EVP_KDF_fetch)
GAITER_WRAP_FETCH(ciphers, EVP_CIPHER, EVP_CIPHER_fetch)
GAITER_WRAP_FETCH(key_managements, EVP_KEYMGMT, EVP_KEYMGMT_fetch)
GAITER_WRAP_FETCH(key_exchanges, EVP_KEYEXCH, EVP_KEYEXCH_fetch)
GAITER_WRAP_FETCH(signatures, EVP_SIGNATURE, EVP_SIGNATURE_fetch)

using NameVisitor = void (*)(const char* name, void* data);
extern "C" [[gnu::weak]] int __real_EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT* management,
                                                             NameVisitor visit, void* data);
extern "C" int __wrap_EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT* management, NameVisitor visit,
                                               void* data);

int __wrap_EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT* management, NameVisitor visit, void* data) {
  using namespace gaiter::engine;
  if (remembered_context.load(std::memory_order_relaxed) == nullptr)
    return __real_EVP_KEYMGMT_names_do_all(management, visit, data);
  const KeyNames* known = key_names.find(
      [management](const KeyNames& entry) { return entry.management == management; });
  KeyNames fresh = {management, {}, 0};
  if (known == nullptr) {
    if (__real_EVP_KEYMGMT_names_do_all(management, gather_name, &fresh) != 1) return 0;
    if (fresh.count > std::size(fresh.names))
      return __real_EVP_KEYMGMT_names_do_all(management, visit, data);
    auto* const shared = const_cast<EVP_KEYMGMT*>(management);
    if (EVP_KEYMGMT_up_ref(shared) == 1 && !key_names.add(fresh)) EVP_KEYMGMT_free(shared);
    known = &fresh;
  }
  for (size_t i = 0; i != known->count; ++i) visit(known->names[i], data);
  return 1;
}
