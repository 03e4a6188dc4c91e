// A certificate's names as a policy's patterns: what the log advises can be pasted.
//
// A pattern is one that policy/peer_pattern.cpp reads and that fits this certificate, and no name
// that it does not have (no "*" of the peer's becomes the policy's). What cannot be said so is
// left out; its fingerprint always can.
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/text.h"
#include "engine/peer_matcher.h"
#include "engine/peer_name.h"

namespace gaiter::engine {
namespace {

constexpr size_t most_patterns = 16;
constexpr size_t longest = 300;

// The attributes that a policy knows by a word; others have their number.
constexpr struct {
  int nid;
  const char* word;
} attribute_words[] = {
    {NID_commonName, "CN"},
    {NID_organizationName, "O"},
    {NID_organizationalUnitName, "OU"},
    {NID_countryName, "C"},
    {NID_localityName, "L"},
    {NID_stateOrProvinceName, "ST"},
    {NID_domainComponent, "DC"},
    {NID_userId, "UID"},
    {NID_title, "title"},
    {NID_serialNumber, "serialNumber"},
    {NID_pkcs9_emailAddress, "emailAddress"},
};

std::string type_text(const ASN1_OBJECT* type) {
  const int nid = OBJ_obj2nid(type);
  for (const auto& known : attribute_words)
    if (known.nid == nid) return known.word;
  char number[128] = "";
  const int length = OBJ_obj2txt(number, sizeof number, type, 1);
  return length > 0 && length < static_cast<int>(sizeof number) ? number : "";
}

// RFC 4514 2.4: special characters behind a backslash, what cannot be seen as two hex digits; so
// too what would end a value in quotes, or be a wildcard.
std::string value_text(std::string_view value) {
  const bool blanks_part = value.find(':') != std::string_view::npos;  // in a map_file
  std::string text;
  for (size_t at = 0; at != value.size();) {
    const size_t length = base::visible_length(value.substr(at));
    const char c = value[at];
    const bool at_edge = at == 0 || at + 1 == value.size();
    const bool must_hide =
        length == 0 || c == '"' || c == '*' || (c == ' ' && (at_edge || blanks_part));
    if (must_hide) {
      const auto byte = static_cast<uint8_t>(c);
      text += '\\' + hex({&byte, 1});
      ++at;
      continue;
    }
    if (std::string_view("#+,;<=>\\").find(c) != std::string_view::npos) text += '\\';
    text += value.substr(at, length);
    at += length;
  }
  return text;
}

std::string attribute_text(const X509_NAME_ENTRY* entry) {
  const std::string type = type_text(X509_NAME_ENTRY_get_object(entry));
  unsigned char* value = nullptr;
  const int length = ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(entry));
  std::string text;
  if (length > 0 && !type.empty())
    text = type + "=" +
           value_text({reinterpret_cast<const char*>(value), static_cast<size_t>(length)});
  OPENSSL_free(value);
  return text;
}

// "subject:CN=web,O=Example": all attributes, the most particular first; "" if it cannot be said.
std::string subject_pattern(const X509* certificate) {
  const X509_NAME* const name = X509_get_subject_name(certificate);
  std::string pattern;
  for (int i = X509_NAME_entry_count(name) - 1; i >= 0; --i) {
    const std::string text = attribute_text(X509_NAME_get_entry(name, i));
    if (!text.empty()) pattern += (pattern.empty() ? "subject:" : ",") + text;
  }
  return pattern.size() <= longest ? pattern : "";
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_host_name(std::string_view name) {
  bool at_start = true;
  for (const char c : name) {
    const bool good = is_letter_or_digit(c) || c == '_' || (!at_start && (c == '-' || c == '.'));
    if (!good) return false;
    at_start = c == '.';
  }
  return !at_start && name.size() <= 253;
}

// As a policy can say it, else "".
std::string alternative_pattern(const GENERAL_NAME* name) {
  if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_EMAIL &&
      name->type != GEN_IPADD) {
    return "";
  }
  const std::string text =
      name->type == GEN_IPADD
          ? alternative_text(name)
          : std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.ia5)),
                        static_cast<size_t>(ASN1_STRING_length(name->d.ia5)));
  const bool plain = std::ranges::all_of(
      text, [](char c) { return c > ' ' && c < 0x7f && c != '*' && c != '\\' && c != '"'; });
  if (text.empty() || !plain || text.size() > longest) return "";
  switch (name->type) {
    case GEN_DNS:
      return is_host_name(text) ? "dns:" + text : "";
    case GEN_URI:
      return text.find(':') != std::string::npos ? "uri:" + text : "";
    case GEN_EMAIL: {
      const size_t at = text.find('@');
      const bool good = at != std::string::npos && at != 0 && is_host_name(text.substr(at + 1));
      return good ? "email:" + text : "";
    }
    default:
      return "ip:" + text;
  }
}

std::string fingerprint_pattern(const X509* certificate) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1) return "fingerprint:?";
  return "fingerprint:" + hex({digest, length});
}

}  // namespace

std::vector<std::string> names_as_patterns(const X509* certificate) {
  std::vector<std::string> patterns;
  const PeerNames names(certificate);
  for (int i = 0;
       i < sk_GENERAL_NAME_num(names.alternative()) && patterns.size() + 1 < most_patterns; ++i) {
    std::string text = alternative_pattern(sk_GENERAL_NAME_value(names.alternative(), i));
    if (!text.empty()) patterns.push_back(std::move(text));
  }
  if (std::string subject = subject_pattern(certificate); !subject.empty())
    patterns.push_back(std::move(subject));
  if (patterns.empty()) patterns.push_back(fingerprint_pattern(certificate));
  return patterns;
}

std::string pattern_without_escapes(const X509* certificate) {
  for (std::string& pattern : names_as_patterns(certificate))
    if (pattern.find('\\') == std::string::npos) return std::move(pattern);
  return fingerprint_pattern(certificate);
}

}  // namespace gaiter::engine
