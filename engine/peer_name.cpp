#include "engine/peer_name.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/text.h"
#include "keyring/openssl.h"
#include "keyring/x509_text.h"

namespace gaiter::engine {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";
constexpr size_t max_description = 128;
constexpr size_t max_dns_name = 253;  // RFC 1035 2.3.4, written with dots

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;

std::string_view view(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

// "" for kinds that are not shown.
std::string text_of(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
    case GEN_URI:
    case GEN_EMAIL:
      return printable(view(name->d.ia5));
    case GEN_IPADD: {
      const std::string_view address = view(name->d.iPAddress);
      char text[INET6_ADDRSTRLEN];
      if (address.size() != 4 && address.size() != 16) return "";
      inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
      return text;
    }
    default:
      return "";
  }
}

NamesPtr alternative_names(const X509* certificate) {
  return NamesPtr(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

constexpr unsigned name_flags =
    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

// OpenSSL takes an empty name, or one that begins with a dot, for a licence.
bool can_be_verified(const ServerName& name) {
  return name.kind != ServerName::Kind::none && !name.text.empty() && !name.text.starts_with('.') &&
         name.text.size() <= max_dns_name;
}

bool is_ip(const std::string& text) {
  unsigned char address[16];
  return inet_pton(AF_INET, text.c_str(), address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address) == 1;
}

}  // namespace

ServerName parse_server_name(std::string_view name) {
  if (name.empty()) return {};
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  // fe80::1%eth0: which interface leads to a peer is none of its name.
  if (std::string address(name.substr(0, name.find('%'))); is_ip(address))
    return {ServerName::Kind::ip, std::move(address)};
  if (name.ends_with('.')) name.remove_suffix(1);
  return {ServerName::Kind::dns, std::string(name)};
}

bool require_name(SSL* ssl, const ServerName& name) {
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(wanted, name_flags);
  if (!can_be_verified(name)) return false;
  if (name.kind == ServerName::Kind::ip)
    return X509_VERIFY_PARAM_set1_ip_asc(wanted, name.text.c_str()) == 1;
  return X509_VERIFY_PARAM_set1_host(wanted, name.text.data(), name.text.size()) == 1;
}

bool has_name(const X509* certificate, const ServerName& name) {
  if (!can_be_verified(name)) return false;
  auto* const shown = const_cast<X509*>(certificate);  // OpenSSL fills in what it has parsed
  if (name.kind == ServerName::Kind::ip) return X509_check_ip_asc(shown, name.text.c_str(), 0) == 1;
  return X509_check_host(shown, name.text.data(), name.text.size(), name_flags, nullptr) == 1;
}

bool send_name(SSL* ssl, const ServerName& name) {
  if (name.kind != ServerName::Kind::dns) return true;
  if (name.text.empty() || name.text.find('\0') != std::string::npos) return false;
  return SSL_set_tlsext_host_name(ssl, name.text.c_str()) == 1;
}

// A certificate's strings are the peer's: nothing of them may end a log line or
// move a terminal's cursor.
std::string printable(std::string_view text) {
  std::string out = base::printable(text);
  if (out.size() <= max_description) return out;
  size_t kept = max_description - 3;
  while ((static_cast<unsigned char>(out[kept]) & 0xc0) == 0x80) --kept;  // a whole character
  out.resize(kept);
  return out + "...";
}

std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += {hex_digits[byte >> 4], hex_digits[byte & 15]};
  return text;
}

std::string describe_peer(const X509* certificate) {
  const NamesPtr names = alternative_names(certificate);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    if (std::string text = text_of(sk_GENERAL_NAME_value(names.get(), i)); !text.empty())
      return text;
  }
  return describe_subject(certificate);
}

std::string alternative_text(const GENERAL_NAME* name) { return text_of(name); }

std::string describe_subject(const X509* certificate) {
  return printable(keyring::subject_text(certificate));
}

std::string describe_names(const X509* certificate) {
  const NamesPtr names = alternative_names(certificate);
  std::string list;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const std::string text = text_of(name);
    if (list.size() + text.size() > max_description) return list + ", ...";
    if (!list.empty()) list += ", ";
    list += text;
  }
  return list;
}

}  // namespace gaiter::engine
