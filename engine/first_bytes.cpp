#include "engine/first_bytes.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "engine/record_state.h"

namespace gaiter::engine {
namespace {

struct Greeting {
  std::string_view start;
  const char* what;
};

constexpr Greeting greetings[] = {
    {"GET ", "an HTTP request"},
    {"POST ", "an HTTP request"},
    {"HEAD ", "an HTTP request"},
    {"PUT ", "an HTTP request"},
    {"DELETE ", "an HTTP request"},
    {"OPTIONS ", "an HTTP request"},
    {"CONNECT ", "an HTTP request"},
    {"PATCH ", "an HTTP request"},
    {"PRI * HTTP/2", "an HTTP/2 preface"},
    {"HTTP/", "an HTTP response"},
    {"SSH-", "an SSH banner"},
    {"220", "an SMTP or FTP greeting"},
    {"* OK", "an IMAP greeting"},
    {"+OK", "a POP3 or Redis reply"},
    {"-ERR", "a POP3 or Redis error"},
    {"-NOAUTH", "a Redis error"},
    {"-DENIED", "a Redis error"},
    {"*1\r\n", "a Redis command"},
    {"*2\r\n", "a Redis command"},
    {"*3\r\n", "a Redis command"},
    {"PROXY ", "a PROXY protocol header"},
    {"\r\n\r\n\0\r\nQUIT\n", "a PROXY protocol header"},
    {std::string_view("\0\0\0\x08\x04\xd2\x16\x2f", 8), "a PostgreSQL SSL request"},
};

bool could_be_tls(std::span<const uint8_t> start) {
  const auto is = [&](size_t at, auto test) { return start.size() <= at || test(start[at]); };
  if (!is(0, [](uint8_t type) {
        return type == static_cast<uint8_t>(ContentType::handshake) ||
               type == static_cast<uint8_t>(ContentType::alert);
      }))
    return false;
  if (!is(1, [](uint8_t major) { return major == 3; })) return false;
  if (!is(2, [](uint8_t minor) { return minor <= 4; })) return false;
  // A first record longer than any plaintext record is chance, not TLS.
  return start.size() < record_header_length ||
         static_cast<size_t>(start[3] << 8 | start[4]) <= max_plaintext;
}

}  // namespace

const char* what_else_than_tls(std::span<const uint8_t> start) {
  if (could_be_tls(start)) return nullptr;
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  for (const Greeting& greeting : greetings) {
    if (text.starts_with(greeting.start)) return greeting.what;
  }
  // Version 2 of SSL: two bytes of length with the top bit set, then CLIENT-HELLO.
  if (start.size() >= 3 && (start[0] & 0x80) != 0 && start[2] == 1) return "an SSL 2.0 hello";
  const auto printable = [](char c) { return (c >= ' ' && c <= '~') || c == '\r' || c == '\n'; };
  return std::ranges::all_of(text.substr(0, 16), printable) ? "plain text" : "unknown binary data";
}

}  // namespace gaiter::engine
