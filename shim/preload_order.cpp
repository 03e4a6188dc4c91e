#include "shim/preload_order.h"

#include <algorithm>
#include <cstring>

namespace gaiter::shim::preload_order {

namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_gaiter(std::string_view entry) { return base_name(entry).starts_with("libgaiter.so"); }

// Calls visit(entry) for each until it says false.
template <class Visit>
void for_each_entry(std::string_view value, Visit visit) {
  constexpr std::string_view separators = ": ";
  while (!value.empty()) {
    const size_t end = std::min(value.find_first_of(separators), value.size());
    if (end != 0 && !visit(value.substr(0, end))) return;
    value.remove_prefix(std::min(end + 1, value.size()));
  }
}

}  // namespace

bool is_sanitizer(std::string_view file) {
  std::string_view name = base_name(file);
  if (name.starts_with("libclang_rt.")) {
    name.remove_prefix(std::strlen("libclang_rt."));
  } else if (name.starts_with("lib")) {
    name.remove_prefix(std::strlen("lib"));
  } else {
    return false;
  }
  constexpr std::string_view runtimes[] = {"asan", "tsan", "lsan", "ubsan", "hwasan", "msan"};
  return std::ranges::any_of(runtimes, [&](std::string_view runtime) {
    if (!name.starts_with(runtime)) return false;
    const std::string_view rest = name.substr(runtime.size());
    return rest.starts_with(".so") || rest.starts_with('-') || rest.starts_with("_standalone");
  });
}

std::string_view own_entry(std::string_view value) {
  std::string_view found;
  for_each_entry(value, [&](std::string_view entry) {
    if (is_gaiter(entry)) found = entry;
    return found.empty();
  });
  return found;
}

bool is_right(std::string_view value) {
  bool right = false;
  for_each_entry(value, [&](std::string_view entry) {
    right = is_gaiter(entry);
    return !right && is_sanitizer(entry);
  });
  return right;
}

size_t room_for(std::string_view value, std::string_view own) {
  return value.size() + own.size() + 2;  // a separator more, and the NUL
}

char* write(std::string_view value, std::string_view own, char* out) {
  const char* const begin = out;
  const auto put = [&](std::string_view entry) {
    if (out != begin) *out++ = ':';
    out = std::copy(entry.begin(), entry.end(), out);
    return true;
  };
  for_each_entry(value, [&](std::string_view entry) { return !is_sanitizer(entry) || put(entry); });
  const std::string_view named = own_entry(value);
  put(named.empty() ? own : named);
  for_each_entry(value, [&](std::string_view entry) {
    return is_sanitizer(entry) || is_gaiter(entry) || put(entry);
  });
  *out = '\0';
  return out;
}

}  // namespace gaiter::shim::preload_order
