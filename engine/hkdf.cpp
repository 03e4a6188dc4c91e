#include "engine/hkdf.h"

#include <openssl/crypto.h>

#include <cstring>

namespace gaiter::engine {

void expand_label(const Hmac& secret, std::string_view label, std::span<const uint8_t> context,
                  std::span<uint8_t> out) {
  static constexpr uint8_t prefix[] = {'t', 'l', 's', '1', '3', ' '};
  static constexpr uint8_t counter[] = {1};
  const uint8_t head[] = {0, static_cast<uint8_t>(out.size()),
                          static_cast<uint8_t>(sizeof prefix + label.size())};
  const uint8_t context_length[] = {static_cast<uint8_t>(context.size())};
  uint8_t block[max_hash_length];
  secret.compute({head,
                  prefix,
                  {reinterpret_cast<const uint8_t*>(label.data()), label.size()},
                  context_length,
                  context,
                  counter},
                 block);
  std::memcpy(out.data(), block, out.size());
  OPENSSL_cleanse(block, sizeof block);
}

void extract(Hash hash, std::span<const uint8_t> salt, std::span<const uint8_t> input,
             uint8_t* out) {
  Hmac(hash, salt).compute({input}, out);
}

}  // namespace gaiter::engine
