#include "keyring/label.h"

#include <algorithm>
#include <numeric>

#include "keyring/errors.h"
#include "keyring/format.h"

namespace gaiter::keyring {
namespace {

// Not isalnum(): the program's locale must not widen the rule.
bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-+@").contains(c);
}

// Levenshtein: single-character edits between two words.
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] != b[j])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Result<void> check_label(std::string_view label) {
  if (label.empty() || label.size() > max_label_length || label.front() == '.' ||
      label.front() == '-' || !std::ranges::all_of(label, allowed)) {
    return fail(Error::Kind::invalid,
                "\"" + std::string(label.substr(0, max_label_length)) +
                    "\" is no label: 1 to 64 letters, digits, . _ - + or @ are allowed, "
                    "and not . or - at the front");
  }
  if (label == keyring_conf || label == ticket_keys) {
    return fail(
        Error::Kind::invalid,
        "\"" + std::string(label) + "\" is no label: a file of the keyring's own has that name");
  }
  return {};
}

std::string make_label(std::string_view text) {
  std::string label;
  for (const char c : text.substr(0, max_label_length)) {
    const bool good = allowed(c) && (!label.empty() || (c != '.' && c != '-'));
    if (good) {
      label += c;
    } else if (!label.empty() && label.back() != '-') {
      label += '-';
    }
  }
  while (label.ends_with('-')) label.pop_back();
  return check_label(label) ? label : std::string();
}

std::vector<std::string> nearest_labels(std::string_view wrong, std::vector<std::string> labels) {
  const std::string_view bounded = wrong.substr(0, 2 * max_label_length);
  std::ranges::stable_sort(labels, {}, [&](const std::string& l) { return edits(bounded, l); });
  if (labels.size() > 3) labels.resize(3);
  return labels;
}

}  // namespace gaiter::keyring
