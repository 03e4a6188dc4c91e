#include "policy/peer_pattern.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "policy/address.h"
#include "policy/names.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

using Kind = PeerPattern::Kind;
using Result = std::expected<PeerPattern, std::string>;

// RFC 4519's and what certificates have besides.
constexpr std::string_view attribute_types[] = {"CN", "O",     "OU",           "C",           "L",
                                                "ST", "DC",    "UID",          "STREET",      "SN",
                                                "GN", "title", "serialNumber", "emailAddress"};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 32);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A host name whose labels may hold *, but not the last (or the only) one.
bool is_name_pattern(std::string_view text) {
  std::string plain_name(text);
  std::ranges::replace(plain_name, '*', 'x');
  return is_host_name(plain_name) &&
         text.substr(text.rfind('.') + 1).find('*') == std::string_view::npos;
}

bool is_printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result parse_dns(std::string_view text) {
  if (!is_name_pattern(text))
    return std::unexpected(
        "expected a name such as \"dns:batch.internal\" or \"dns:*.apps.internal\"; a * stands "
        "for characters of one label, and not in the last");
  return PeerPattern{Kind::dns, lower_case(text)};
}

Result parse_uri(std::string_view text) {
  const size_t colon = text.find(':');
  const bool authority = colon != std::string_view::npos && text.substr(colon).starts_with("://");
  const size_t path = authority ? text.find('/', colon + 3) : colon;
  const std::string_view fixed = text.substr(0, path);
  if (colon == 0 || colon == std::string_view::npos || !is_printable_ascii(text) ||
      (authority && fixed.size() == colon + 3) || fixed.find('*') != std::string_view::npos)
    return std::unexpected(
        "expected a URI such as \"spiffe://prod/batch\" or \"spiffe://prod/*\"; a * stands only "
        "in its path");
  return PeerPattern{Kind::uri, std::string(text)};
}

Result parse_email(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || !is_printable_ascii(text) ||
      !is_host_name(text.substr(at + 1)))
    return std::unexpected(
        "expected an address such as \"email:ops@example.com\" or \"email:*@example.com\"; a * "
        "stands only before the @");
  return PeerPattern{Kind::email, std::string(text.substr(0, at)) + lower_case(text.substr(at))};
}

Result parse_ip(std::string_view text) {
  const auto ranges = parse_addresses(text);
  if (text == "any" || text == "loopback" || text.find('-') != std::string_view::npos || !ranges ||
      ranges->size() != 1)
    return std::unexpected(
        "expected an address or a network, such as \"ip:10.0.0.1\" or \"ip:10.0.0.0/8\"");
  return PeerPattern{Kind::ip, to_string(*ranges)};
}

Result parse_distinguished_name(Kind kind, std::string_view text) {
  auto name = parse_name(text);
  if (!name) return std::unexpected(name.error());
  return PeerPattern{kind, std::string(text), std::move(*name)};
}

Result parse_fingerprint(std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  Sha256 digest;
  if (!parse_hex(text, digest))
    return std::unexpected(
        "expected the SHA-256 of a certificate as 64 hex digits, with or without colons (gaiter "
        "keyring show tells it)");
  return PeerPattern{Kind::fingerprint, hex(digest)};
}

bool is_object_identifier(std::string_view text) {
  return text.find('.') != std::string_view::npos && !text.ends_with('.') &&
         !text.starts_with('.') && text.find("..") == std::string_view::npos &&
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::expected<std::string, std::string> parse_type(std::string_view text) {
  for (std::string_view type : attribute_types)
    if (edit_distance(type, text) == 0) return std::string(type);
  if (is_object_identifier(text)) return std::string(text);
  return std::unexpected(quote(text) + " is no attribute of a name; " +
                         suggest_value(text, attribute_types));
}

// The value that `text` begins with, taken off it, up to "," or "+".
std::expected<std::string, std::string> take_value(std::string_view& text) {
  std::string value;
  size_t kept = 0;  // of value; blanks at the end go, unless they were escaped
  while (!text.empty() && text.front() != ',' && text.front() != '+') {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '*')
      return std::unexpected(
          "a * has no meaning in a name; leave out what may be anything, or write \\\\2a for the "
          "character");
    if (std::string_view("\"<>;").find(c) != std::string_view::npos || (c == '#' && value.empty()))
      return std::unexpected(std::string("in a name, write \\\\") + c + " for " + c);
    if (c != '\\') {
      if (c != ' ' || !value.empty()) value += c;
      if (c != ' ') kept = value.size();
      continue;
    }
    if (text.size() >= 2 && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0) {
      value += static_cast<char>(hex_digit(text[0]) << 4 | hex_digit(text[1]));
      text.remove_prefix(2);
    } else if (!text.empty() &&
               std::string_view(" \"#+,;<=>\\*").find(text.front()) != std::string_view::npos) {
      value += text.front();
      text.remove_prefix(1);
    } else {
      return std::unexpected(
          "a \\\\ in a name is followed by two hex digits or by what it escapes");
    }
    kept = value.size();
  }
  value.resize(kept);
  if (value.empty()) return std::unexpected("an attribute of a name has no value");
  return value;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// 32 bytes are 43 digits and one "=".
bool parse_base64(std::string_view text, Sha256& out) {
  if (text.size() != 44 || text.back() != '=') return false;
  uint32_t bits = 0;
  size_t count = 0, byte = 0;
  for (char c : text.substr(0, 43)) {
    const int digit = base64_digit(c);
    if (digit < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out[byte++] = static_cast<uint8_t>(bits >> count);
  }
  return (bits & ((1u << count) - 1)) == 0;
}

}  // namespace

std::expected<std::vector<NameAttribute>, std::string> parse_name(std::string_view text) {
  std::vector<NameAttribute> name;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos)
      return std::unexpected(
          "expected attributes of a name (RFC 4514), such as \"CN=batch,O=Ops\"");
    auto type = parse_type(text.substr(0, equals));
    if (!type) return std::unexpected(type.error());
    text.remove_prefix(equals + 1);
    auto value = take_value(text);
    if (!value) return std::unexpected(value.error());
    name.push_back({std::move(*type), std::move(*value)});
    if (text.empty()) return name;
    text.remove_prefix(1);
  }
}

std::expected<PeerPattern, std::string> parse_peer(std::string_view text) {
  const std::string_view prefix = text.substr(0, text.find(':'));
  const std::string_view rest = text.substr(std::min(prefix.size() + 1, text.size()));
  std::optional<Kind> kind;
  for (const Word<Kind>& word : peer_kind_words)
    if (word.text == prefix) kind = word.value;
  if (prefix == "spiffe") return parse_uri(text);
  if (!kind || prefix.size() == text.size()) {
    std::vector<std::string_view> kinds;
    for (const Word<Kind>& word : peer_kind_words) kinds.push_back(word.text);
    const std::string_view near = nearest(prefix, kinds);
    if (!near.empty() && !kind)
      return std::unexpected("did you mean " + quote(std::string(near) + ":") + "?");
    return std::unexpected(
        "expected dns:, uri:, email:, ip:, subject:, issuer: or fingerprint: and what the peer's "
        "certificate must have, such as \"dns:*.apps.internal\"");
  }
  switch (*kind) {
    case Kind::dns:
      return parse_dns(rest);
    case Kind::uri:
      return parse_uri(rest);
    case Kind::email:
      return parse_email(rest);
    case Kind::ip:
      return parse_ip(rest);
    case Kind::fingerprint:
      return parse_fingerprint(rest);
    case Kind::subject:
    case Kind::issuer:
      break;
  }
  return parse_distinguished_name(*kind, rest);
}

bool parse_hex(std::string_view text, Sha256& out) {
  for (size_t i = 0; i < out.size(); i++) {
    if (i > 0 && text.starts_with(':')) text.remove_prefix(1);
    if (text.size() < 2 || hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0) return false;
    out[i] = static_cast<uint8_t>(hex_digit(text[0]) << 4 | hex_digit(text[1]));
    text.remove_prefix(2);
  }
  return text.empty();
}

bool parse_pin(std::string_view text, Sha256& out) {
  if (text.starts_with("sha256//")) return parse_base64(text.substr(8), out);
  return text.starts_with("sha256:") && parse_hex(text.substr(7), out);
}

std::string hex(const Sha256& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : digest) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string to_string(const PeerPattern& pattern) {
  return std::string(to_string(pattern.kind)) + ":" + pattern.text;
}

}  // namespace gaiter::policy
