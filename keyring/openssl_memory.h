// OpenSSL's memory: what it holds is in no core file, and what it frees is wiped.
//
// During a handshake its objects hold traffic secrets and ephemeral keys, which it does not wipe
// everywhere. So all that it allocates lies in regions of their own (MADV_DONTDUMP); where
// no such region is to be had, in the program's heap.
#pragma once

#include <cstddef>

namespace gaiter {

// A base of classes whose objects hold secrets, and lie there too.
struct InOpenSslMemory {
  static void* operator new(size_t size);
  static void operator delete(void* memory);
};

// Once, before OpenSSL's first allocation (CRYPTO_set_mem_functions(3)). What is then
// allocated and freed may be so in every thread, in a signal handler, and in a child of
// whatever kind of fork: there is no lock.
void install_openssl_memory();

}  // namespace gaiter
