#include "shim/exec_environment.h"

#include <alloca.h>
#include <dlfcn.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>

#include "shim/preload_order.h"

namespace gaiter::shim::exec_environment {

namespace {

constexpr const char preload_name[] = "LD_PRELOAD";
constexpr const char* kept_names[] = {"GAITER_POLICY", "GAITER_POLICY_TEXT", "GAITER_LOG"};
// "NAME=value" as at start, copied: programs write over their environment.
constinit char* kept[std::size(kept_names)]{};
// The value of LD_PRELOAD; nullptr if it did not name Gaiter: preloaded by the system
// (/etc/ld.so.preload), it will be again.
constinit char* kept_preload = nullptr;
// What Gaiter is called in LD_PRELOAD; "" in secure-execution mode.
constinit std::string_view own_name;
constinit bool started = false;

bool names(const char* entry, const char* name) {
  const size_t length = std::strlen(name);
  return std::strncmp(entry, name, length) == 0 && entry[length] == '=';
}

const char* value_in(char* const* environment, const char* name) {
  for (char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry)
    if (names(*entry, name)) return *entry + std::strlen(name) + 1;
  return nullptr;
}

char* copy(const char* name, const char* value) {
  const size_t length = std::strlen(name) + std::strlen(value) + 2;
  auto* const text = static_cast<char*>(std::malloc(length));
  if (text == nullptr) return nullptr;
  std::strcpy(text, name);
  std::strcat(text, "=");
  return std::strcat(text, value);
}

// As the loader found it, if that means the same from every directory.
std::string_view name_of_library() {
  static constexpr char here = 0;
  Dl_info own;
  const bool found = dladdr(&here, &own) != 0 && own.dli_fname != nullptr;
  return found && own.dli_fname[0] == '/' ? own.dli_fname : "";
}

// What the new image would be given, before it is put in order; nullptr: no library at all.
const char* preload_of(char* const* environment) {
  const char* const present = value_in(environment, preload_name);
  return present != nullptr ? present : kept_preload;
}

}  // namespace

void start() {
  started = true;
  if (getauxval(AT_SECURE) != 0) return;
  for (size_t i = 0; i < std::size(kept_names); ++i) {
    if (const char* const value = std::getenv(kept_names[i])) kept[i] = copy(kept_names[i], value);
  }
  own_name = name_of_library();
  const char* const value = std::getenv(preload_name);
  if (value == nullptr || preload_order::own_entry(value).empty()) return;
  kept_preload = copy("", value);
  if (kept_preload != nullptr) own_name = preload_order::own_entry(++kept_preload);
}

const char* value_at_start(const char* name) {
  if (!started) return getauxval(AT_SECURE) == 0 ? std::getenv(name) : nullptr;
  for (const char* entry : kept) {
    if (entry != nullptr && names(entry, name)) return entry + std::strlen(name) + 1;
  }
  return nullptr;
}

size_t preload_room(char* const* environment) {
  const char* const value = preload_of(environment);
  if (value == nullptr || own_name.empty()) return 0;
  if (value != kept_preload && preload_order::is_right(value)) return 0;
  return sizeof preload_name + preload_order::room_for(value, own_name);
}

char* write_preload(char* const* environment, char* room) {
  if (room == nullptr) return nullptr;
  std::memcpy(room, preload_name, sizeof preload_name - 1);
  room[sizeof preload_name - 1] = '=';
  preload_order::write(preload_of(environment), own_name, room + sizeof preload_name);
  return room;
}

size_t size_needed(char* const* environment, const char* preload, const char* relayed) {
  size_t missing = (relayed != nullptr) + (preload != nullptr);
  for (size_t i = 0; i < std::size(kept_names); ++i)
    missing += kept[i] != nullptr && value_in(environment, kept_names[i]) == nullptr;
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

void complete(char* const* environment, char* preload, char* relayed, char** out) {
  for (char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
    const bool replaced = (preload != nullptr && names(*entry, preload_name)) ||
                          (relayed != nullptr && names(*entry, "GAITER_RELAYED"));
    if (!replaced) *out++ = *entry;
  }
  if (relayed != nullptr) *out++ = relayed;
  if (preload != nullptr) *out++ = preload;
  for (size_t i = 0; i < std::size(kept_names); ++i) {
    if (kept[i] != nullptr && value_in(environment, kept_names[i]) == nullptr) *out++ = kept[i];
  }
  *out = nullptr;
}

void complete_own() {
  for (size_t i = 0; i < std::size(kept_names); ++i) {
    if (kept[i] != nullptr && value_in(environ, kept_names[i]) == nullptr)
      setenv(kept_names[i], kept[i] + std::strlen(kept_names[i]) + 1, 1);
  }
  if (const size_t room = preload_room(environ); room != 0) {
    const char* const entry = write_preload(environ, static_cast<char*>(alloca(room)));
    setenv(preload_name, entry + sizeof preload_name, 1);
  }
}

}  // namespace gaiter::shim::exec_environment
