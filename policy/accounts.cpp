#include "policy/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <vector>

namespace gaiter::policy {
namespace {

constexpr size_t max_size = 16 << 20;

// "" if it cannot be read: then it has no names.
std::string contents(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  std::string text;
  size_t used = 0;
  while (fd >= 0 && used < max_size) {
    text.resize(used + 16384);
    const ssize_t got = read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += static_cast<size_t>(got);
  }
  if (fd >= 0) close(fd);
  text.resize(used);
  return text;
}

template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    visit(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return {};
  return value;
}

// name:password:number:... as passwd(5) and group(5) have it.
std::map<std::string, uint32_t, std::less<>> read_accounts(const char* path) {
  std::map<std::string, uint32_t, std::less<>> numbers;
  for_each_line(contents(path), [&](std::string_view line) {
    const size_t password = line.find(':');
    const size_t begin =
        password == std::string_view::npos ? password : line.find(':', password + 1);
    if (password == 0 || begin == std::string_view::npos) return;
    const std::string_view rest = line.substr(begin + 1);
    if (const auto value = number(rest.substr(0, rest.find(':'))))
      numbers.emplace(line.substr(0, password), *value);
  });
  return numbers;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  line = line.substr(0, line.find('#'));
  for (;;) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const size_t end = line.find_first_of(" \t\r");
    words.push_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  }
}

// name port/protocol alias ... as services(5) has it.
std::map<std::string, uint32_t, std::less<>> read_services(const char* path) {
  std::map<std::string, uint32_t, std::less<>> numbers;
  for_each_line(contents(path), [&](std::string_view line) {
    auto words = words_of(line);
    if (words.size() < 2 || !words[1].ends_with("/tcp")) return;
    const auto port = number(words[1].substr(0, words[1].size() - 4));
    if (!port || *port == 0 || *port > UINT16_MAX) return;
    words.erase(words.begin() + 1);
    for (std::string_view name : words) numbers.emplace(name, *port);
  });
  return numbers;
}

std::optional<uint32_t> find(const std::map<std::string, uint32_t, std::less<>>& numbers,
                             std::string_view name) {
  const auto found = numbers.find(name);
  if (found == numbers.end()) return {};
  return found->second;
}

}  // namespace

std::optional<uid_t> Accounts::user(std::string_view name) {
  if (!users_) users_ = read_accounts("/etc/passwd");
  return find(*users_, name);
}

std::optional<gid_t> Accounts::group(std::string_view name) {
  if (!groups_) groups_ = read_accounts("/etc/group");
  return find(*groups_, name);
}

std::optional<uint16_t> Accounts::service(std::string_view name) {
  if (!services_) services_ = read_services("/etc/services");
  const auto port = find(*services_, name);
  if (!port) return {};
  return static_cast<uint16_t>(*port);
}

}  // namespace gaiter::policy
