#include "policy/suites.h"

#include <algorithm>

#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

constexpr Suite suites[] = {
    {"TLS_AES_256_GCM_SHA384", Version::tls13, true},
    {"TLS_AES_128_GCM_SHA256", Version::tls13, true},
    {"TLS_CHACHA20_POLY1305_SHA256", Version::tls13, false},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Version::tls12, true},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Version::tls12, true},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Version::tls12, true},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Version::tls12, true},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Version::tls12, false},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Version::tls12, false},
};

struct GroupName {
  std::string_view name;   // OpenSSL's
  std::string_view other;  // the IANA's, or another in use
  bool fips;
};

// The hybrids are of draft-ietf-tls-ecdhe-mlkem.
constexpr GroupName groups[] = {
    {"X25519MLKEM768", "", false},    {"SecP256r1MLKEM768", "", true},
    {"SecP384r1MLKEM1024", "", true}, {"X25519", "x25519", false},
    {"P-256", "secp256r1", true},     {"P-384", "secp384r1", true},
    {"P-521", "secp521r1", true},     {"X448", "x448", false},
};

struct Signature {
  std::string_view name;
  bool fips;
};

constexpr Signature signatures[] = {
    {"ecdsa_secp256r1_sha256", true},
    {"ecdsa_secp384r1_sha384", true},
    {"ecdsa_secp521r1_sha512", true},
    {"ed25519", false},
    {"ed448", false},
    {"rsa_pss_rsae_sha256", true},
    {"rsa_pss_rsae_sha384", true},
    {"rsa_pss_rsae_sha512", true},
    {"rsa_pss_pss_sha256", true},
    {"rsa_pss_pss_sha384", true},
    {"rsa_pss_pss_sha512", true},
    {"rsa_pkcs1_sha256", true},
    {"rsa_pkcs1_sha384", true},
    {"rsa_pkcs1_sha512", true},
};

template <class T>
std::vector<std::string_view> names_of(std::span<const T> list) {
  std::vector<std::string_view> names;
  for (const T& one : list) names.push_back(one.name);
  return names;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "ECDHE-RSA-AES128-GCM-SHA256" -> "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", compared
// without what separates.
std::string letters_of(std::string_view name) {
  std::string letters;
  for (size_t i = 0; i < name.size(); i++) {
    if (name.substr(i).starts_with("WITH_"))
      i += 4;
    else if (name[i] != '-' && name[i] != '_')
      letters += name[i];
  }
  if (letters.starts_with("TLSECDHE")) letters.erase(0, 3);
  return letters;
}

std::string_view meant(std::string_view name) {
  const std::string letters = letters_of(name);
  for (const Suite& suite : suites) {
    const std::string ours = letters_of(suite.name);
    if (ours == letters || ours == letters + "SHA256") return suite.name;
  }
  return {};
}

}  // namespace

const Suite* find_suite(std::string_view name) {
  const auto found = std::ranges::find(suites, name, &Suite::name);
  return found == std::end(suites) ? nullptr : found;
}

std::string why_no_suite(std::string_view name) {
  if (const std::string_view ours = meant(name); !ours.empty())
    return "did you mean " + quote(ours) + "? Suites have their IANA names";
  if (contains(name, "CCM")) return "AES-CCM is not among Gaiter's AEADs; use AES-GCM";
  if (contains(name, "_NULL_") || contains(name, "anon") || contains(name, "EXPORT"))
    return "protects nothing";
  for (std::string_view old : {"CBC", "RC4", "3DES"})
    if (contains(name, old))
      return "not an AEAD suite: CBC and stream ciphers are not spoken (RFC 9325, section 4.2); "
             "expected one such as \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"";
  for (std::string_view key : {"TLS_RSA_", "TLS_DH_", "TLS_DHE_", "TLS_ECDH_", "TLS_PSK_"})
    if (name.starts_with(key))
      return "only suites with ECDHE keys are spoken (forward secrecy, RFC 9325); expected one "
             "such "
             "as \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"";
  return "unknown suite; " + suggest_value(name, names_of<Suite>(suites));
}

std::expected<std::string_view, std::string> find_group(std::string_view name) {
  for (const GroupName& group : groups)
    if (name == group.name || name == group.other) return group.name;
  if (name == "prime256v1") return std::string_view("P-256");
  if (name.starts_with("ffdhe"))
    return std::unexpected("finite-field groups are not spoken: suites have ECDHE keys");
  return std::unexpected("unknown group; " + suggest_value(name, names_of<GroupName>(groups)));
}

bool is_fips_group(std::string_view name) {
  return std::ranges::any_of(groups, [&](const GroupName& g) { return g.name == name && g.fips; });
}

std::expected<std::string_view, std::string> find_signature(std::string_view name) {
  for (const Signature& signature : signatures)
    if (name == signature.name) return signature.name;
  if (contains(name, "sha1") || contains(name, "SHA1"))
    return std::unexpected("SHA-1 signatures are forged (RFC 9155); use SHA-256 or better");
  return std::unexpected("unknown signature; " +
                         suggest_value(name, names_of<Signature>(signatures)));
}

bool is_fips_signature(std::string_view name) {
  return std::ranges::any_of(signatures,
                             [&](const Signature& s) { return s.name == name && s.fips; });
}

std::vector<std::string> fips_suites() {
  std::vector<std::string> names;
  for (const Suite& suite : suites)
    if (suite.fips) names.emplace_back(suite.name);
  return names;
}

std::vector<Group> fips_groups() {
  std::vector<Group> names;
  for (const GroupName& group : groups)
    if (group.fips) names.push_back({std::string(group.name)});
  return names;
}

std::vector<std::string> fips_signatures() {
  std::vector<std::string> names;
  for (const Signature& signature : signatures)
    if (signature.fips) names.emplace_back(signature.name);
  return names;
}

}  // namespace gaiter::policy
