#include "shim/a_labels.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "shim/real.h"

namespace gaiter::shim {

namespace {

constexpr size_t longest_label = 63;

// One character of UTF-8 (RFC 3629) off the front; -1 = it is none.
int32_t take_character(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                                       : 4;
  if (length == 0 || first > 0xf4 || length > text.size()) return -1;
  int32_t value = length == 1 ? first : first & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return -1;
    value = value << 6 | (byte(i) & 0x3f);
  }
  constexpr int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return -1;
  text.remove_prefix(length);
  return value;
}

// RFC 3492 5.
constexpr uint32_t base = 36, least_threshold = 1, most_threshold = 26, skew = 38, damp = 700,
                   first_bias = 72, first_value = 128;

// RFC 3492 6.1.
uint32_t adapted(uint32_t delta, uint32_t count, bool first) {
  delta = first ? delta / damp : delta / 2;
  delta += delta / count;
  uint32_t steps = 0;
  for (; delta > (base - least_threshold) * most_threshold / 2; steps += base)
    delta /= base - least_threshold;
  return steps + (base - least_threshold + 1) * delta / (delta + skew);
}

// A label that grows at the end of a text, as far as a label may.
class Label {
 public:
  explicit Label(char* out) : out_(out) {}
  void add(char c) {
    if (length_ < longest_label) out_[length_] = c;
    ++length_;
  }
  void add_digit(uint32_t digit) {
    add(static_cast<char>(digit < 26 ? 'a' + digit : '0' + digit - 26));
  }
  // 0 = it is too long.
  size_t length() const { return length_ <= longest_label ? length_ : 0; }

 private:
  char* const out_;
  size_t length_ = 0;
};

// One delta as a number of variable length, RFC 3492 6.3.
void add_delta(Label& label, uint32_t delta, uint32_t bias) {
  for (uint32_t k = base;; k += base) {
    const uint32_t threshold = k <= bias ? least_threshold : std::min(k - bias, most_threshold);
    if (delta < threshold) return label.add_digit(delta);
    label.add_digit(threshold + (delta - threshold) % (base - threshold));
    delta = (delta - threshold) / (base - threshold);
  }
}

// The label's length at `out`, which has room for one; 0 = it is none.
size_t encode(std::string_view text, char* out) {
  uint32_t characters[longest_label];
  uint32_t count = 0;
  while (!text.empty()) {
    const int32_t character = take_character(text);
    if (character < 0 || count == longest_label) return 0;
    characters[count++] = static_cast<uint32_t>(character);
  }
  Label label(out);
  for (const char c : std::string_view("xn--")) label.add(c);
  uint32_t done = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (characters[i] >= first_value) continue;
    label.add(static_cast<char>(characters[i]));
    ++done;
  }
  const uint32_t basic = done;
  if (basic != 0) label.add('-');
  uint32_t value = first_value, delta = 0, bias = first_bias;
  while (done < count) {
    uint32_t next = UINT32_MAX;
    for (uint32_t i = 0; i < count; ++i)
      if (characters[i] >= value) next = std::min(next, characters[i]);
    delta += (next - value) * (done + 1);  // below 2^21 * 64
    value = next;
    for (uint32_t i = 0; i < count; ++i) {
      if (characters[i] < value) ++delta;
      if (characters[i] != value) continue;
      add_delta(label, delta, bias);
      bias = adapted(delta, done + 1, done == basic);
      delta = 0;
      ++done;
    }
    ++delta;
    ++value;
  }
  return label.length();
}

}  // namespace

bool is_ascii(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

size_t to_a_labels(std::string_view name, NameText& out) {
  size_t length = 0;
  for (;;) {
    const std::string_view label = name.substr(0, name.find('.'));
    char encoded[longest_label];
    const bool plain = is_ascii(label);
    const size_t added = plain ? label.size() : encode(label, encoded);
    if ((!plain && added == 0) || length + added > longest_name) return 0;
    std::memcpy(out + length, plain ? label.data() : encoded, added);
    length += added;
    if (label.size() == name.size()) break;
    name.remove_prefix(label.size() + 1);
    if (length == longest_name) return 0;
    out[length++] = '.';
  }
  out[length] = '\0';
  return length;
}

bool looked_up(const char* name, NameText& out) {
  // libc has opened it by now; it stays.
  void* const library = real::dlopen("libidn2.so.0", RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return false;
  using Convert = int (*)(const char*, char**, int);
  const auto convert = reinterpret_cast<Convert>(real::dlsym(library, "idn2_lookup_ul"));
  char* converted = nullptr;
  const bool done = convert != nullptr && convert(name, &converted, 0) == 0 &&
                    std::strlen(converted) <= longest_name;
  if (done) std::strcpy(out, converted);
  std::free(converted);
  return done;
}

}  // namespace gaiter::shim
