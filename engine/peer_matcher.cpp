#include "engine/peer_matcher.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

namespace gaiter::engine {
namespace {

std::string_view view(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

// Whether `fits` likes any alternative name of this kind.
template <class Predicate>
bool any_name(const PeerNames& names, int kind, const Predicate& fits) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names.alternative()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.alternative(), i);
    if (name->type != kind) continue;
    if (fits(view(kind == GEN_IPADD ? name->d.iPAddress : name->d.ia5))) return true;
  }
  return false;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
  return -1;
}

bool is_text(const GENERAL_NAME* name) {
  return name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL;
}

}  // namespace

const char* to_string(PeerPattern::Kind kind) {
  constexpr const char* words[] = {"dns", "uri", "email", "ip", "subject", "issuer", "fingerprint"};
  return words[static_cast<size_t>(kind)];
}

PeerNames::PeerNames(const X509* certificate) : certificate_(certificate) {
  int place = -1;
  alternative_.reset(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, &place, nullptr)));
  // -1: there is none; else it is there twice, or is nonsense.
  sound_ = alternative_ != nullptr || place == -1;
  for (int i = 0; i < sk_GENERAL_NAME_num(alternative_.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternative_.get(), i);
    if (is_text(name) && view(name->d.ia5).find('\0') != std::string_view::npos) sound_ = false;
  }
}

std::expected<PeerMatcher, std::string> PeerMatcher::compile(const PeerPattern& pattern) {
  const std::string text = std::string(to_string(pattern.kind)) + ":" + pattern.text;
  auto test = test_of(pattern);
  if (!test) return std::unexpected("\"" + text + "\": " + test.error());
  return PeerMatcher(text, std::move(*test));
}

std::expected<PeerMatcher::Test, std::string> PeerMatcher::test_of(const PeerPattern& pattern) {
  const std::string& text = pattern.text;
  if (text.empty()) return std::unexpected("the name is missing");
  switch (pattern.kind) {
    case PeerPattern::Kind::dns:
      return Dns{Glob(text, Glob::Letters::any_case, '.')};
    case PeerPattern::Kind::uri: {
      Glob whole(text, Glob::Letters::as_written, '/');
      return Uri{whole.open_ended()};
    }
    case PeerPattern::Kind::email: {
      const size_t at = text.rfind('@');
      if (at == std::string::npos || text.find('*', at) != std::string::npos)
        return std::unexpected("expected an address such as *@example.com");
      return Email{Glob(std::string_view(text).substr(0, at), Glob::Letters::as_written, '@'),
                   text.substr(at + 1)};
    }
    case PeerPattern::Kind::ip:
      return prefix_of(text);
    case PeerPattern::Kind::subject:
    case PeerPattern::Kind::issuer:
      return name_of(pattern);
    case PeerPattern::Kind::fingerprint:
      break;
  }
  return fingerprint_of(text);
}

std::expected<PeerMatcher::Test, std::string> PeerMatcher::prefix_of(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  Prefix prefix{};
  if (inet_pton(AF_INET, address.c_str(), prefix.address.data()) == 1)
    prefix.length = 4;
  else if (inet_pton(AF_INET6, address.c_str(), prefix.address.data()) == 1)
    prefix.length = 16;
  else
    return std::unexpected("expected an address or a prefix such as 10.0.0.0/8");
  const auto most = static_cast<unsigned>(prefix.length * 8);
  prefix.bits = most;
  if (slash != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + slash + 1, end, prefix.bits);
    if (read.ec != std::errc() || read.ptr != end || prefix.bits > most)
      return std::unexpected("expected a prefix of at most /" + std::to_string(most));
  }
  return prefix;
}

std::expected<PeerMatcher::Test, std::string> PeerMatcher::name_of(const PeerPattern& pattern) {
  DistinguishedName name{pattern.kind == PeerPattern::Kind::issuer, {}};
  for (const PeerPattern::Attribute& wanted : pattern.attributes) {
    ObjectPtr type(OBJ_txt2obj(wanted.type.c_str(), 0));
    if (type == nullptr)
      return std::unexpected("\"" + wanted.type +
                             "\" is no attribute of a name; expected one such as CN, O, OU, C, "
                             "DC or UID, or an object identifier");
    name.pieces.push_back({std::move(type), wanted.value});
  }
  if (name.pieces.empty()) return std::unexpected("expected pieces such as CN=batch,O=Example");
  return name;
}

std::expected<PeerMatcher::Test, std::string> PeerMatcher::fingerprint_of(std::string_view text) {
  Fingerprint wanted{};
  bool right = text.size() == 2 * wanted.sha256.size();
  for (size_t i = 0; right && i != wanted.sha256.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    right = high >= 0 && low >= 0;
    wanted.sha256[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (!right) return std::unexpected("expected a SHA-256 of 64 hexadecimal digits");
  return wanted;
}

bool PeerMatcher::matches(const PeerNames& names) const {
  return std::visit([&names](const auto& wanted) { return fits(wanted, names); }, test_);
}

bool PeerMatcher::fits(const Dns& wanted, const PeerNames& names) {
  return any_name(names, GEN_DNS,
                  [&wanted](std::string_view name) { return wanted.name.matches(name); });
}

bool PeerMatcher::fits(const Uri& wanted, const PeerNames& names) {
  return any_name(names, GEN_URI,
                  [&wanted](std::string_view uri) { return wanted.whole.matches(uri); });
}

bool PeerMatcher::fits(const Email& wanted, const PeerNames& names) {
  // RFC 5280 7.5: the case of the local part counts.
  return any_name(names, GEN_EMAIL, [&wanted](std::string_view address) {
    const size_t at = address.rfind('@');
    if (at == std::string_view::npos || !wanted.local.matches(address.substr(0, at))) return false;
    const std::string_view domain = address.substr(at + 1);
    return domain.size() == wanted.domain.size() &&
           strncasecmp(domain.data(), wanted.domain.data(), domain.size()) == 0;
  });
}

bool PeerMatcher::fits(const Prefix& wanted, const PeerNames& names) {
  return any_name(names, GEN_IPADD, [&wanted](std::string_view address) {
    if (address.size() != wanted.length) return false;
    const unsigned whole = wanted.bits / 8;
    if (std::memcmp(address.data(), wanted.address.data(), whole) != 0) return false;
    const unsigned rest = wanted.bits % 8;
    if (rest == 0) return true;
    const auto theirs = static_cast<uint8_t>(address[whole]);
    return (theirs ^ wanted.address[whole]) >> (8 - rest) == 0;
  });
}

bool PeerMatcher::fits(const DistinguishedName& wanted, const PeerNames& names) {
  const X509_NAME* const name = wanted.of_issuer ? X509_get_issuer_name(names.certificate())
                                                 : X509_get_subject_name(names.certificate());
  return std::ranges::all_of(wanted.pieces, [name](const DistinguishedName::Piece& piece) {
    for (int at = -1; (at = X509_NAME_get_index_by_OBJ(name, piece.type.get(), at)) >= 0;) {
      unsigned char* value = nullptr;
      const int length =
          ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
      if (length < 0) continue;
      const bool same = piece.value == std::string_view(reinterpret_cast<const char*>(value),
                                                        static_cast<size_t>(length));
      OPENSSL_free(value);
      if (same) return true;
    }
    return false;
  });
}

bool PeerMatcher::fits(const Fingerprint& wanted, const PeerNames& names) {
  uint8_t actual[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  return X509_digest(names.certificate(), EVP_sha256(), actual, &length) == 1 &&
         std::ranges::equal(std::span(actual, length), wanted.sha256);
}

}  // namespace gaiter::engine
