#include "shim/libc_symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <link.h>

#include <cstdint>

namespace gaiter::shim {

namespace {

// The GNU hash table (DT_GNU_HASH): a header, a Bloom filter, a bucket for each residue
// with the first symbol of its chain, and the chains' hashes, of which an odd one ends
// its chain.
struct HashHeader {
  uint32_t buckets;
  uint32_t first_symbol;
  uint32_t bloom_words;
  uint32_t bloom_shift;
};

// A version that is only for programs that were linked against it long ago (VERSYM_HIDDEN).
constexpr ElfW(Half) hidden_version = 0x8000;

struct Symbols {
  const HashHeader* hashes = nullptr;
  const ElfW(Sym) * table = nullptr;
  const ElfW(Half) * versions = nullptr;
  const char* names = nullptr;
};

Symbols symbols_of(const link_map& object) {
  Symbols symbols;
  for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
    const auto* const place = reinterpret_cast<const void*>(entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) symbols.hashes = static_cast<const HashHeader*>(place);
    if (entry->d_tag == DT_SYMTAB) symbols.table = static_cast<const ElfW(Sym)*>(place);
    if (entry->d_tag == DT_VERSYM) symbols.versions = static_cast<const ElfW(Half)*>(place);
    if (entry->d_tag == DT_STRTAB) symbols.names = static_cast<const char*>(place);
  }
  return symbols;
}

uint32_t hash_of(const char* name) {
  uint32_t hash = 5381;
  for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<uint8_t>(*name);
  return hash;
}

// Not strcmp(3): in a program that was built with a sanitizer that is the sanitizer's, which looks
// libc's up as it starts: it is not ready for a call.
bool same(const char* one, const char* other) {
  for (; *one != '\0' && *one == *other; ++one) ++other;
  return *one == *other;
}

const ElfW(Sym) * find(const Symbols& in, const char* name) {
  if (in.hashes == nullptr || in.table == nullptr || in.names == nullptr) return nullptr;
  const HashHeader& header = *in.hashes;
  if (header.buckets == 0) return nullptr;
  const auto* const bloom = reinterpret_cast<const ElfW(Addr)*>(&header + 1);
  const auto* const buckets = reinterpret_cast<const uint32_t*>(bloom + header.bloom_words);
  const uint32_t* const chains = buckets + header.buckets;
  const uint32_t hash = hash_of(name);
  uint32_t number = buckets[hash % header.buckets];
  if (number < header.first_symbol) return nullptr;
  for (;; ++number) {
    const uint32_t one = chains[number - header.first_symbol];
    const ElfW(Sym)& symbol = in.table[number];
    if ((one | 1) == (hash | 1) && symbol.st_shndx != SHN_UNDEF &&
        (in.versions == nullptr || (in.versions[number] & hidden_version) == 0) &&
        same(in.names + symbol.st_name, name)) {
      return &symbol;
    }
    if ((one & 1) != 0) return nullptr;
  }
}

bool find_libc(Dl_info& info, link_map*& object) {
  const auto* const inside = reinterpret_cast<const void*>(gnu_get_libc_version);
  return dladdr1(inside, &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) != 0;
}

}  // namespace

void* libc_symbol(const char* name) {
  Dl_info info;
  link_map* libc = nullptr;
  if (!find_libc(info, libc)) return nullptr;
  const ElfW(Sym)* const symbol = find(symbols_of(*libc), name);
  return symbol != nullptr ? reinterpret_cast<void*>(libc->l_addr + symbol->st_value) : nullptr;
}

bool is_in_libc(const void* address) {
  Dl_info libc, found;
  link_map* object = nullptr;
  return find_libc(libc, object) && dladdr(address, &found) != 0 &&
         found.dli_fbase == libc.dli_fbase;
}

}  // namespace gaiter::shim
