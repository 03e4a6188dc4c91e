#include "shim/exec_environment.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iterator>

namespace gaiter::shim::exec_environment {

namespace {

constexpr const char* kept_names[] = {"LD_PRELOAD", "GAITER_POLICY", "GAITER_POLICY_TEXT",
                                      "GAITER_LOG"};
// "NAME=value" as at start, copied: programs write over their environment.
constinit char* kept[std::size(kept_names)]{};
constinit bool started = false;

bool names(const char* entry, const char* name) {
  const size_t length = std::strlen(name);
  return std::strncmp(entry, name, length) == 0 && entry[length] == '=';
}

bool is_preload(size_t i) { return i == 0; }

// Whether `environment` has kept_names[i], for LD_PRELOAD with Gaiter in it.
bool has(char* const* environment, size_t i) {
  for (char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
    if (names(*entry, kept_names[i]))
      return !is_preload(i) || std::strstr(*entry, "libgaiter") != nullptr;
  }
  return false;
}

}  // namespace

void start() {
  started = true;
  if (getauxval(AT_SECURE) != 0) return;
  for (size_t i = 0; i < std::size(kept_names); ++i) {
    const char* const value = std::getenv(kept_names[i]);
    if (value == nullptr) continue;
    // Preloaded by the system (/etc/ld.so.preload): then it will be again.
    if (is_preload(i) && std::strstr(value, "libgaiter") == nullptr) continue;
    const size_t name_length = std::strlen(kept_names[i]);
    const size_t value_length = std::strlen(value);
    auto* const copy = static_cast<char*>(std::malloc(name_length + value_length + 2));
    if (copy == nullptr) return;
    std::memcpy(copy, kept_names[i], name_length);
    copy[name_length] = '=';
    std::memcpy(copy + name_length + 1, value, value_length + 1);
    kept[i] = copy;
  }
}

const char* value_at_start(const char* name) {
  if (!started) return getauxval(AT_SECURE) == 0 ? std::getenv(name) : nullptr;
  for (const char* entry : kept) {
    if (entry != nullptr && names(entry, name)) return entry + std::strlen(name) + 1;
  }
  return nullptr;
}

size_t size_needed(char* const* environment, const char* relayed) {
  size_t missing = relayed != nullptr;
  for (size_t i = 0; i < std::size(kept_names); ++i)
    missing += kept[i] != nullptr && !has(environment, i);
  if (missing == 0) return 0;
  return count(environment) + missing;
}

size_t count(char* const* environment) {
  size_t entries = 0;
  while (environment != nullptr && environment[entries] != nullptr) ++entries;
  return entries + 1;
}

void drop_preload(char* const* environment, char** out) {
  for (char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry)
    if (!names(*entry, "LD_PRELOAD")) *out++ = *entry;
  *out = nullptr;
}

void complete(char* const* environment, char* relayed, char** out) {
  const bool replaces_preload = kept[0] != nullptr && !has(environment, 0);
  for (char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
    const bool replaced = (replaces_preload && names(*entry, kept_names[0])) ||
                          (relayed != nullptr && names(*entry, "GAITER_RELAYED"));
    if (!replaced) *out++ = *entry;
  }
  if (relayed != nullptr) *out++ = relayed;
  for (size_t i = 0; i < std::size(kept_names); ++i) {
    if (kept[i] != nullptr && !has(environment, i)) *out++ = kept[i];
  }
  *out = nullptr;
}

void complete_own() {
  for (size_t i = 0; i < std::size(kept_names); ++i) {
    if (kept[i] != nullptr && !has(environ, i))
      setenv(kept_names[i], kept[i] + std::strlen(kept_names[i]) + 1, 1);
  }
}

}  // namespace gaiter::shim::exec_environment
