#include "engine/protocol.h"

#include <openssl/err.h>
#include <sys/auxv.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/diagnosis.h"

namespace gaiter::engine {
namespace {

struct Suite {
  Version version;
  Cipher cipher;
  std::string_view name;  // the IANA's
  const char* openssl;
};

// All that Gaiter's record layer has: AEADs with ephemeral keys (RFC 9325 4.2). Within
// a cipher ECDSA comes first, which costs a server less than RSA.
constexpr Suite suites[] = {
    {Version::tls13, Cipher::aes_256_gcm, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
    {Version::tls13, Cipher::aes_128_gcm, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
    {Version::tls13, Cipher::chacha20_poly1305, "TLS_CHACHA20_POLY1305_SHA256",
     "TLS_CHACHA20_POLY1305_SHA256"},
    {Version::tls12, Cipher::aes_256_gcm, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
     "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {Version::tls12, Cipher::aes_256_gcm, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384"},
    {Version::tls12, Cipher::aes_128_gcm, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {Version::tls12, Cipher::aes_128_gcm, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
     "ECDHE-RSA-AES128-GCM-SHA256"},
    {Version::tls12, Cipher::chacha20_poly1305, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {Version::tls12, Cipher::chacha20_poly1305, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-RSA-CHACHA20-POLY1305"},
};

constexpr std::string_view groups[] = {"X25519MLKEM768", "X25519", "P-256", "P-384"};
// SP 800-186; a hybrid counts too once OpenSSL's module has it (SP 800-56C 2).
constexpr std::string_view fips_groups[] = {"P-256", "P-384", "P-521"};

constexpr std::string_view signatures[] = {"ecdsa_secp256r1_sha256",
                                           "ecdsa_secp384r1_sha384",
                                           "ecdsa_secp521r1_sha512",
                                           "ed25519",
                                           "ed448",
                                           "rsa_pss_rsae_sha256",
                                           "rsa_pss_rsae_sha384",
                                           "rsa_pss_rsae_sha512",
                                           "rsa_pss_pss_sha256",
                                           "rsa_pss_pss_sha384",
                                           "rsa_pss_pss_sha512",
                                           "rsa_pkcs1_sha256",
                                           "rsa_pkcs1_sha384",
                                           "rsa_pkcs1_sha512"};
constexpr std::string_view fips_signatures[] = {
    "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512",
    "rsa_pss_rsae_sha256",    "rsa_pss_rsae_sha384",    "rsa_pss_rsae_sha512",
    "rsa_pss_pss_sha256",     "rsa_pss_pss_sha384",     "rsa_pss_pss_sha512",
    "rsa_pkcs1_sha256",       "rsa_pkcs1_sha384",       "rsa_pkcs1_sha512"};

std::unexpected<Failure> refuse(std::string reason, std::string advice) {
  return std::unexpected(Failure{Cause::local, std::move(reason), std::move(advice)});
}

// AES-GCM is the fastest where AES instructions are, ChaCha20 where not.
bool cpu_has_aes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return true;
#endif
}

std::vector<const Suite*> suites_of(Profile profile) {
  std::vector<const Suite*> chosen;
  for (const Suite& suite : suites) {
    if (profile == Profile::modern && suite.version != Version::tls13) continue;
    if (profile == Profile::fips && suite.cipher == Cipher::chacha20_poly1305) continue;
    chosen.push_back(&suite);
  }
  if (!cpu_has_aes())
    std::ranges::stable_partition(
        chosen, [](const Suite* suite) { return suite->cipher == Cipher::chacha20_poly1305; });
  return chosen;
}

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ':';
  list += name;
}

template <size_t count>
std::string joined(const std::string_view (&names)[count]) {
  std::string list;
  for (const std::string_view name : names) append(list, name);
  return list;
}

std::expected<void, Failure> set_suites(SSL_CTX* context, const ContextSettings& settings) {
  const bool fips = settings.profile == Profile::fips;
  std::vector<const Suite*> chosen;
  for (const std::string& name : settings.suites) {
    const auto found = std::ranges::find(suites, name, &Suite::name);
    if (found == std::end(suites))
      return refuse("the suite " + name + " is none that Gaiter has",
                    "see suites in the policy: AES-GCM or ChaCha20-Poly1305 with ECDHE only");
    if (fips && found->cipher == Cipher::chacha20_poly1305)
      return refuse("the suite " + name + " is not FIPS 140's", "take it from suites");
    chosen.push_back(found);
  }
  if (chosen.empty()) chosen = suites_of(settings.profile);

  std::string tls12, tls13;
  for (const Suite* const suite : chosen)
    append(suite->version == Version::tls13 ? tls13 : tls12, suite->openssl);
  // A version is only spoken with a suite for it.
  const Version lowest = tls12.empty() ? Version::tls13 : oldest_version(settings);
  const Version highest = tls13.empty() ? Version::tls12 : settings.max_version;
  if (lowest > highest)
    return refuse("no TLS version is left between min_version and max_version",
                  "see profile, suites, min_version and max_version in the policy");
  // OpenSSL takes no empty list of the old suites; a version that is off needs none.
  const bool set = SSL_CTX_set_ciphersuites(context, tls13.c_str()) == 1 &&
                   (tls12.empty() || SSL_CTX_set_cipher_list(context, tls12.c_str()) == 1) &&
                   SSL_CTX_set_min_proto_version(context, static_cast<int>(lowest)) == 1 &&
                   SSL_CTX_set_max_proto_version(context, static_cast<int>(highest)) == 1;
  if (!set) return std::unexpected(diagnose_local("the suites could not be set", ""));
  return {};
}

std::expected<void, Failure> set_groups(SSL_CTX* context, const ContextSettings& settings) {
  std::vector<Group> wanted = settings.groups;
  if (wanted.empty() && settings.profile == Profile::fips)
    for (const std::string_view name : fips_groups) wanted.push_back({std::string(name)});
  else if (wanted.empty())
    for (const std::string_view name : groups) wanted.push_back({std::string(name)});

  std::string list;
  for (const Group& group : wanted) {
    // OpenSSL tells what it has by whether it takes it.
    if (SSL_CTX_set1_groups_list(context, group.name.c_str()) == 1) {
      append(list, group.name);
    } else if (group.required) {
      ERR_clear_error();
      return refuse("the group " + group.name + " is required, but " +
                        OpenSSL_version(OPENSSL_VERSION) + " does not have it",
                    "without \"!\" in groups it is left out where it is missing");
    }
  }
  ERR_clear_error();
  if (list.empty() || SSL_CTX_set1_groups_list(context, list.c_str()) != 1)
    return refuse("none of the groups in the policy is one that this OpenSSL has",
                  "add X25519 or P-256 to groups");
  return {};
}

std::expected<void, Failure> set_signatures(SSL_CTX* context, const ContextSettings& settings) {
  std::string list;
  for (const std::string& name : settings.signatures) append(list, name);
  if (list.empty())
    list = settings.profile == Profile::fips ? joined(fips_signatures) : joined(signatures);
  if (SSL_CTX_set1_sigalgs_list(context, list.c_str()) != 1)
    return std::unexpected(diagnose_local("the signature algorithms could not be set",
                                          "see signatures in the policy"));
  return {};
}

// ---- application protocols (RFC 7301) ----

std::vector<uint8_t> alpn_list(const std::vector<std::string>& names) {
  std::vector<uint8_t> list;
  for (const std::string& name : names) {
    list.push_back(static_cast<uint8_t>(name.size()));
    list.insert(list.end(), name.begin(), name.end());
  }
  return list;
}

// Server: the first of ours that the client offers.
int select_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_length,
                const unsigned char* offered, unsigned offered_length, void* ours) {
  for (const std::string& name : static_cast<const ContextSettings*>(ours)->alpn) {
    for (unsigned at = 0; at < offered_length; at += 1U + offered[at]) {
      const std::string_view offer(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
      if (offer != name) continue;
      *chosen = offered + at + 1;
      *chosen_length = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol (3.2)
}

std::expected<void, Failure> set_alpn(SSL_CTX* context, const ContextSettings& settings) {
  if (settings.alpn.empty()) return {};
  for (const std::string& name : settings.alpn)
    if (name.empty() || name.size() > 255)
      return refuse("a protocol in alpn is not 1 to 255 bytes long", "see alpn in the policy");
  if (settings.role == Role::server) {
    SSL_CTX_set_alpn_select_cb(context, select_alpn, const_cast<ContextSettings*>(&settings));
    return {};
  }
  const std::vector<uint8_t> list = alpn_list(settings.alpn);
  if (SSL_CTX_set_alpn_protos(context, list.data(), static_cast<unsigned>(list.size())) != 0)
    return std::unexpected(diagnose_local("the protocols of alpn could not be set", ""));
  return {};
}

// Everything by name: a default may come from a configuration file, or change.
void set_options(SSL_CTX* context, const ContextSettings& settings) {
  SSL_CTX_clear_options(context, SSL_CTX_get_options(context));
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
  if (settings.role == Role::server) {
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    // A client without AES instructions puts ChaCha20 first: do it that favour,
    // unless the policy says what comes first.
    if (settings.suites.empty()) SSL_CTX_set_options(context, SSL_OP_PRIORITIZE_CHACHA);
  }
  // No chain is looked for at each handshake: the keyring gives it whole.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(context, 0);
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_security_level(context, 2);
}

}  // namespace

Version oldest_version(const ContextSettings& settings) {
  return settings.profile == Profile::modern ? Version::tls13 : settings.min_version;
}

std::expected<void, Failure> set_protocol(SSL_CTX* context, const ContextSettings& settings) {
  set_options(context, settings);
  for (const auto set : {set_suites, set_groups, set_signatures, set_alpn})
    if (auto done = set(context, settings); !done) return done;
  return {};
}

}  // namespace gaiter::engine
