#include "policy/names.h"

#include <algorithm>

namespace gaiter::policy {
namespace {

constexpr size_t max_label = 64;
constexpr size_t max_host_name = 253;  // RFC 1035, section 2.3.4, as text

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

}  // namespace

bool is_label(std::string_view text) {
  const bool letters = std::ranges::all_of(text, [](char c) {
    return is_letter_or_digit(c) || std::string_view("._-+@").find(c) != std::string_view::npos;
  });
  return letters && !text.empty() && text.size() <= max_label && !text.starts_with('.') &&
         !text.starts_with('-');
}

bool is_host_name(std::string_view text) {
  if (text.size() > max_host_name) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    const bool letters = std::ranges::all_of(
        label, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
    if (label.empty() || label.size() > 63 || !letters || label.front() == '-') return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 32);
  return lower;
}

}  // namespace gaiter::policy
