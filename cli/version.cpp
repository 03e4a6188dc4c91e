#include "cli/version.h"

#include <fmt/format.h>

#include "cli/output.h"
#include "engine/aead.h"
#include "engine/handshake.h"

namespace gaiter::cli {

int version(bool json) {
  using engine::Cipher;
  const std::string openssl = engine::openssl_version();
  const std::string ipsec_mb = engine::ipsec_mb_version();
  std::vector<std::vector<std::string>> rows = {{"CIPHER", "BACK END"}};
  Object ciphers;
  for (const Cipher cipher :
       {Cipher::aes_128_gcm, Cipher::aes_256_gcm, Cipher::chacha20_poly1305}) {
    const std::string back_end = engine::describe(engine::best_back_end(cipher));
    rows.push_back({engine::name(cipher), back_end});
    ciphers.push_back({engine::name(cipher), back_end});
  }
  if (json) {
    print_json(Object{{"gaiter", std::string(GAITER_VERSION)},
                      {"openssl", openssl},
                      {"ipsec_mb", ipsec_mb},
                      {"back_ends", ciphers}});
    return exit_ok;
  }
  print(fmt::format("gaiter {}\n{}\n{}\n\n{}", GAITER_VERSION, openssl,
                    ipsec_mb.empty() ? "built without ipsec-mb" : "ipsec-mb " + ipsec_mb,
                    table(rows)));
  return exit_ok;
}

}  // namespace gaiter::cli
