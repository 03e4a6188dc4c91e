// What a back end must offer to aead.cpp. To add one: fill in this table, name
// it in BackEnd and in aead.cpp's list; the self-test does the rest.
#pragma once

#include "engine/aead.h"

namespace gaiter::engine {

struct AeadBackEnd {
  // Whether this CPU and this build can do `cipher`; sets up what the other
  // functions need, and is called before them.
  bool (*supports)(Cipher cipher);
  // As aead_seal, aead_open and aead_forget, whatever key.back_end says.
  void (*seal)(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
               IovCursor& plaintext, size_t length, std::span<const uint8_t> trailer, uint8_t* out);
  bool (*open)(const AeadKey& key, const Nonce& nonce, std::span<const uint8_t> additional,
               std::span<uint8_t> text, IovCursor& sink, size_t sink_length);
  void (*forget)(const AeadKey& key);
  const char* (*describe)();
};

}  // namespace gaiter::engine
