#include "policy/address.h"

#include <arpa/inet.h>
#include <string.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

constexpr int bits = 128;
constexpr int ipv4_prefix = 96;  // of ::ffff:0:0/96
constexpr char wants[] =
    "expected an address, a network such as \"10.0.0.0/8\", a range such as "
    "\"10.0.0.1-10.0.0.9\", \"loopback\" or \"any\"";

bool is_ipv4(const Address& address) {
  return all_ipv4.first <= address && address <= all_ipv4.last;
}

// The last address whose first `prefix` bits are those of `address`.
Address last_of(const Address& address, int prefix) {
  const auto ones_after = [](int n) { return n >= 64 ? 0 : UINT64_MAX >> std::max(n, 0); };
  return {address.high | ones_after(prefix), address.low | ones_after(prefix - 64)};
}

Address first_of(const Address& address, int prefix) {
  const Address hosts = last_of({}, prefix);
  return {address.high & ~hosts.high, address.low & ~hosts.low};
}

Address next(const Address& a) { return {a.high + (a.low == UINT64_MAX), a.low + 1}; }
Address before(const Address& a) { return {a.high - (a.low == 0), a.low - 1}; }

// What IPv6 text says is not about IPv4: ::/0 is all of IPv6 and no more.
std::vector<AddressRange> without_ipv4(const AddressRange& range) {
  if (range.last < all_ipv4.first || all_ipv4.last < range.first) return {range};
  std::vector<AddressRange> parts;
  if (range.first < all_ipv4.first) parts.push_back({range.first, before(all_ipv4.first)});
  if (all_ipv4.last < range.last) parts.push_back({next(all_ipv4.last), range.last});
  return parts;
}

std::string range_text(const AddressRange& range) {
  if (range.first == range.last) return to_string(range.first);
  const bool v4 = is_ipv4(range.first) && is_ipv4(range.last);
  for (int prefix = v4 ? ipv4_prefix : 0; prefix < bits; prefix++) {
    if (first_of(range.first, prefix) == range.first && last_of(range.first, prefix) == range.last)
      return to_string(range.first) + "/" + std::to_string(v4 ? prefix - ipv4_prefix : prefix);
  }
  return to_string(range.first) + "-" + to_string(range.last);
}

std::expected<std::vector<AddressRange>, std::string> parse_network(std::string_view text,
                                                                    size_t slash) {
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::unexpected(wants);
  const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const int most = v4 ? bits - ipv4_prefix : bits;
  int prefix = -1;
  const std::string_view digits = text.substr(slash + 1);
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, prefix);
  if (error != std::errc() || stopped != end || prefix < 0 || prefix > most || digits[0] == '-')
    return std::unexpected("a prefix is 0 to " + std::to_string(most) + " bits long, as in \"" +
                           (v4 ? "10.0.0.0/8" : "2001:db8::/32") + "\"");
  if (v4) prefix += ipv4_prefix;
  const AddressRange range{first_of(*address, prefix), last_of(*address, prefix)};
  if (range.first != *address)
    return std::unexpected("has bits set behind the prefix; did you mean " +
                           quote(range_text(range)) + " or " + quote(to_string(*address)) + "?");
  if (v4 || prefix >= ipv4_prefix) return std::vector{range};
  return without_ipv4(range);
}

std::expected<std::vector<AddressRange>, std::string> parse_range(std::string_view text,
                                                                  size_t dash) {
  const auto first = parse_address(text.substr(0, dash));
  const auto last = parse_address(text.substr(dash + 1));
  if (!first || !last) return std::unexpected(wants);
  if (is_ipv4(*first) != is_ipv4(*last)) return std::unexpected("a range is all IPv4 or all IPv6");
  if (*last < *first)
    return std::unexpected("the range ends before it begins; did you mean \"" + to_string(*last) +
                           "-" + to_string(*first) + "\"?");
  const AddressRange range{*first, *last};
  return is_ipv4(*first) ? std::vector{range} : without_ipv4(range);
}

}  // namespace

Address address_of(const in_addr& address) {
  return {0, all_ipv4.first.low | ntohl(address.s_addr)};
}

Address address_of(const in6_addr& address) {
  Address number;
  for (int i = 0; i < 8; i++) {
    number.high = number.high << 8 | address.s6_addr[i];
    number.low = number.low << 8 | address.s6_addr[i + 8];
  }
  return number;
}

bool is_unspecified(const Address& address) {
  return address == Address{} || address == all_ipv4.first;
}

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  in_addr v4;
  if (inet_pton(AF_INET, terminated.c_str(), &v4) == 1) return address_of(v4);
  in6_addr v6;
  if (inet_pton(AF_INET6, terminated.c_str(), &v6) == 1) return address_of(v6);
  return {};
}

std::expected<std::vector<AddressRange>, std::string> parse_addresses(std::string_view text) {
  if (text == "any") return std::vector<AddressRange>{{{}, {UINT64_MAX, UINT64_MAX}}};
  if (text == "loopback")
    return std::vector<AddressRange>{{{0, 0xffff'7f00'0000}, {0, 0xffff'7fff'ffff}},
                                     {{0, 1}, {0, 1}}};
  if (text.find('%') != std::string_view::npos)
    return std::unexpected("an address has no zone here; leave out what begins with %");
  if (const size_t slash = text.find('/'); slash != std::string_view::npos)
    return parse_network(text, slash);
  if (const size_t dash = text.find('-'); dash != std::string_view::npos)
    return parse_range(text, dash);
  if (const auto address = parse_address(text))
    return std::vector<AddressRange>{{*address, *address}};
  const std::string_view words[] = {"loopback", "any"};
  const std::string_view near = nearest(text, words);
  return std::unexpected(near.empty() ? wants : "did you mean " + quote(near) + "?");
}

std::string to_string(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  if (is_ipv4(address)) {
    const in_addr v4{htonl(static_cast<uint32_t>(address.low))};
    return inet_ntop(AF_INET, &v4, text, sizeof text);
  }
  in6_addr v6;
  for (int i = 0; i < 8; i++) {
    v6.s6_addr[i] = static_cast<uint8_t>(address.high >> (56 - 8 * i));
    v6.s6_addr[i + 8] = static_cast<uint8_t>(address.low >> (56 - 8 * i));
  }
  return inet_ntop(AF_INET6, &v6, text, sizeof text);
}

std::string to_string(const std::vector<AddressRange>& ranges) {
  std::string list;
  for (const AddressRange& range : ranges) {
    if (range.first == Address{} && range.last == Address{UINT64_MAX, UINT64_MAX}) return "any";
    if (!list.empty()) list += ", ";
    list += range_text(range);
  }
  return list.empty() ? "any" : list;
}

}  // namespace gaiter::policy
