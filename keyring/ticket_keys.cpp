#include "keyring/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <charconv>
#include <span>
#include <string_view>

#include "keyring/errors.h"
#include "keyring/files.h"
#include "keyring/format.h"
#include "keyring/writer.h"

namespace gaiter::keyring {
namespace {

constexpr char digits[] = "0123456789abcdef";

void append_hexadecimal(std::string& text, std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
}

// Exactly as many digits as fill `bytes`.
bool parse_hexadecimal(std::string_view text, std::span<uint8_t> bytes) {
  if (text.size() != 2 * bytes.size()) return false;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char* const end = text.data() + 2 * i + 2;
    const auto parsed = std::from_chars(end - 2, end, bytes[i], 16);
    if (parsed.ec != std::errc() || parsed.ptr != end) return false;
  }
  return true;
}

std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool parse_line(std::string_view line, TicketKey& key) {
  if (!parse_hexadecimal(take_word(line), key.name) ||
      !parse_hexadecimal(take_word(line), key.seed)) {
    return false;
  }
  int64_t seconds = 0;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), seconds);
  key.made = std::chrono::sys_seconds(std::chrono::seconds(seconds));
  return parsed.ec == std::errc() && parsed.ptr == line.data() + line.size() && seconds >= 0;
}

Result<std::vector<TicketKey>> parse(std::string_view text, const std::string& path) {
  std::vector<TicketKey> keys;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string where = path + ":" + std::to_string(number) + ": ";
    if (keys.size() == max_ticket_keys) {
      return fail(Error::Kind::invalid,
                  where + "more than " + std::to_string(max_ticket_keys) + " keys");
    }
    if (!parse_line(line, keys.emplace_back())) {
      return fail(Error::Kind::invalid,
                  where +
                      "a line must read NAME SEED TIME: 32 and 64 hexadecimal digits, and "
                      "seconds since 1970");
    }
  }
  if (keys.empty()) {
    return fail(Error::Kind::invalid,
                path + " holds no key; make one with: gaiter keyring ticket-keys rotate");
  }
  return keys;
}

Content print(const std::vector<TicketKey>& keys) {
  std::string text;
  text.reserve(max_ticket_keys * 128);  // never moved, so that no copy is left behind
  for (const TicketKey& key : keys) {
    append_hexadecimal(text, key.name);
    text += ' ';
    append_hexadecimal(text, key.seed);
    text += ' ' + std::to_string(key.made.time_since_epoch().count()) + '\n';
  }
  Content content(std::vector<char>(text.begin(), text.end()));
  OPENSSL_cleanse(text.data(), text.size());
  return content;
}

}  // namespace

TicketKey::~TicketKey() { OPENSSL_cleanse(seed.data(), seed.size()); }

Result<std::vector<TicketKey>> read_ticket_keys(const std::string& path) {
  return read_ticket_keys_file(path + "/" + ticket_keys);
}

Result<std::vector<TicketKey>> read_ticket_keys_file(const std::string& file) {
  const size_t slash = file.rfind('/');
  const std::string name = file.substr(slash + 1);
  auto directory = open_directory(slash == std::string::npos ? "."
                                  : slash == 0               ? "/"
                                                             : file.substr(0, slash));
  if (!directory) return pass_on(directory);
  auto content = read_file(*directory, name.c_str(), Guard::read);
  if (!content) return pass_on(content);
  return parse(content->view(), directory->path_of(name));
}

Result<std::vector<TicketKey>> rotate_ticket_keys(const Keyring& keyring) {
  auto writer = Writer::lock(keyring.path());
  if (!writer) return pass_on(writer);
  auto keys = read_ticket_keys(keyring.path());
  if (!keys && keys.error().kind != Error::Kind::not_found) return keys;
  if (!keys) keys.emplace();

  TicketKey fresh;
  if (RAND_bytes_ex(library_context(), fresh.name.data(), fresh.name.size(), 0) != 1 ||
      RAND_priv_bytes_ex(library_context(), fresh.seed.data(), fresh.seed.size(), 0) != 1) {
    return fail(Error::Kind::system, "cannot make a ticket key: " + take_openssl_reason());
  }
  fresh.made = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  keys->insert(keys->begin(), fresh);
  if (keys->size() > max_ticket_keys) keys->resize(max_ticket_keys);
  const Content text = print(*keys);
  if (auto written = writer->put_file(ticket_keys, text.view(), secret_mode); !written) {
    return pass_on(written);
  }
  return keys;
}

}  // namespace gaiter::keyring
