// Text of others (of peers, certificates, name servers, files) as it may be shown: nothing of it
// may steer a terminal, end a line of a log, or make letters read in another order than they
// stand in. Functions of values; no allocation but of the results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gaiter::base {

// The character that well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
// U+10FFFF) at the start of `text` stands for, and its length; a length of 0: it is none.
struct Character {
  char32_t code = 0;
  size_t length = 0;
};

constexpr Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (text.empty()) return {};
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || first > 0xf4 || length > text.size()) return {};
  char32_t code = first & (0x7fu >> length);
  for (size_t i = 1; i != length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return {};
  return {code, length};
}

// Control characters (C0, DEL, C1), those that change the direction of writing (UAX 9), and those
// that are not seen: by them one name would look like another one.
constexpr bool is_unseen(char32_t code) {
  constexpr struct {
    char32_t first, last;
  } ranges[] = {
      {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},
      {0x61c, 0x61c},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
      {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
      {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
      {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
  };
  for (const auto& range : ranges) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

// The length of the character at the start of `text` if it can be shown as it is, else 0: then the
// first byte alone is to be escaped.
constexpr size_t visible_length(std::string_view text) {
  const Character first = first_character(text);
  return first.length != 0 && !is_unseen(first.code) ? first.length : 0;
}

// Whether all of it can be shown as it is.
constexpr bool is_visible(std::string_view text) {
  while (!text.empty()) {
    const size_t length = visible_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// `text` with each byte of what cannot be shown as \xe2, say.
inline std::string printable(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const Character first = first_character(text);
    const size_t length = first.length == 0 ? 1 : first.length;
    if (first.length != 0 && !is_unseen(first.code)) {
      out += text.substr(0, length);
    } else {
      for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<uint8_t>(c);
        out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      }
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace gaiter::base
