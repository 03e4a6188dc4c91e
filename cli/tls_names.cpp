#include "cli/tls_names.h"

#include <strings.h>

#include <algorithm>
#include <span>

namespace gaiter::cli {
namespace {

struct Names {
  std::string_view ours;
  std::string_view number;  // as z/OS writes it
  std::string_view others[3];
};

constexpr Names suites[] = {
    {"TLS_AES_128_GCM_SHA256", "1301", {}},
    {"TLS_AES_256_GCM_SHA384", "1302", {}},
    {"TLS_CHACHA20_POLY1305_SHA256", "1303", {}},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "C02B", {"ECDHE-ECDSA-AES128-GCM-SHA256"}},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "C02C", {"ECDHE-ECDSA-AES256-GCM-SHA384"}},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "C02F", {"ECDHE-RSA-AES128-GCM-SHA256"}},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "C030", {"ECDHE-RSA-AES256-GCM-SHA384"}},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "CCA8", {"ECDHE-RSA-CHACHA20-POLY1305"}},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "CCA9", {"ECDHE-ECDSA-CHACHA20-POLY1305"}},
};

constexpr Names groups[] = {
    {"P-256", "0023", {"secp256r1", "prime256v1"}},
    {"P-384", "0024", {"secp384r1"}},
    {"P-521", "0025", {"secp521r1"}},
    {"X25519", "0029", {}},
    {"X448", "0030", {}},
    {"X25519MLKEM768", "4588", {}},
    {"SecP256r1MLKEM768", "4587", {}},
};

constexpr Names signatures[] = {
    {"rsa_pkcs1_sha256", "0401", {"TLS_SIGALG_SHA256_WITH_RSA"}},
    {"rsa_pkcs1_sha384", "0501", {"TLS_SIGALG_SHA384_WITH_RSA"}},
    {"rsa_pkcs1_sha512", "0601", {"TLS_SIGALG_SHA512_WITH_RSA"}},
    {"ecdsa_secp256r1_sha256", "0403", {"TLS_SIGALG_SHA256_WITH_ECDSA"}},
    {"ecdsa_secp384r1_sha384", "0503", {"TLS_SIGALG_SHA384_WITH_ECDSA"}},
    {"ecdsa_secp521r1_sha512", "0603", {"TLS_SIGALG_SHA512_WITH_ECDSA"}},
    {"rsa_pss_rsae_sha256", "0804", {"TLS_SIGALG_SHA256_WITH_RSASSA_PSS"}},
    {"rsa_pss_rsae_sha384", "0805", {"TLS_SIGALG_SHA384_WITH_RSASSA_PSS"}},
    {"rsa_pss_rsae_sha512", "0806", {"TLS_SIGALG_SHA512_WITH_RSASSA_PSS"}},
    {"ed25519", "0807", {}},
    {"ed448", "0808", {}},
};

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view find(std::span<const Names> table, std::string_view name) {
  if (name.empty()) return "";
  for (const Names& names : table) {
    if (equal(names.ours, name) || equal(names.number, name) ||
        std::ranges::any_of(names.others, [&](std::string_view one) { return equal(one, name); })) {
      return names.ours;
    }
  }
  return "";
}

}  // namespace

std::string_view suite_name(std::string_view name) { return find(suites, name); }

std::string_view group_name(std::string_view name) { return find(groups, name); }

std::string_view signature_name(std::string_view name) { return find(signatures, name); }

}  // namespace gaiter::cli
