#include "cli/conversion.h"

#include <algorithm>

#include "cli/output.h"
#include "cli/policy_values.h"
#include "keyring/label.h"

namespace gaiter::cli {
namespace {

constexpr std::string_view letters_and_digits =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// `name`, or the first of `name-2`, `name-3`, ... that is not taken.
template <class Taken>
std::string unique(const std::string& name, size_t longest, const Taken& taken) {
  std::string one = name;
  for (int number = 2; taken(one); number++) {
    const std::string suffix = "-" + std::to_string(number);
    one = name.substr(0, longest - suffix.size()) + suffix;
  }
  return one;
}

std::string import_command(const std::string& label, const std::string& certificate,
                           const std::string& key, const std::string& usage) {
  std::string text = "gaiter keyring import " + label + " --cert " + shell_word(certificate);
  if (!key.empty()) text += " --key " + shell_word(key);
  if (!usage.empty()) text += " --usage " + usage;
  return text;
}

void append_comment(std::string& out, std::string_view indent, const std::string& text) {
  out += std::string(indent) + "# " + printable(text) + "\n";
}

}  // namespace

ConvertedRule& Conversion::add_rule(const std::string& name, int line) {
  constexpr size_t longest = 64;
  const auto taken = [this](const std::string& one) {
    return std::ranges::any_of(rules_, [&](const ConvertedRule& rule) { return rule.name == one; });
  };
  rules_.push_back({unique(printable(name).substr(0, longest), longest, taken), line, {}, {}});
  return rules_.back();
}

void Conversion::note(int line, std::string text) {
  const auto same = [&](const Note& note) { return note.line == line && note.text == text; };
  if (std::ranges::any_of(notes_, same)) return;
  const auto place = std::ranges::upper_bound(notes_, line, {}, &Note::line);
  notes_.insert(place, {line, std::move(text)});
}

void Conversion::not_needed(int line, std::string_view word) {
  std::string text = std::string(word) + " (line " + std::to_string(line) + ")";
  if (std::ranges::find(not_needed_, text) == not_needed_.end())
    not_needed_.push_back(std::move(text));
}

std::string Conversion::label_for(Import wanted, std::string_view wish) {
  for (const Import& import : imports_) {
    if (import.certificate == wanted.certificate && import.key == wanted.key &&
        import.usage == wanted.usage) {
      return import.label;
    }
  }
  wanted.label = unique(label_from(wish), keyring::max_label_length, [this](const auto& one) {
    return std::ranges::any_of(imports_, [&](const Import& import) { return import.label == one; });
  });
  imports_.push_back(std::move(wanted));
  return imports_.back().label;
}

std::string Conversion::identity_label(const std::string& certificate, const std::string& key,
                                       std::string_view wish) {
  return label_for({"", certificate, key, ""}, wish);
}

std::string Conversion::trust_label(const std::string& certificate, std::string_view usage,
                                    std::string_view wish) {
  return label_for({"", certificate, "", std::string(usage)}, wish);
}

void Conversion::command(const std::string& text) {
  if (std::ranges::find(commands_, text) == commands_.end()) commands_.push_back(text);
}

std::string Conversion::policy() const {
  std::string out;
  append_comment(out, "", "Converted from " + file_ + " by `gaiter policy convert`.");
  if (!imports_.empty() || !commands_.empty()) {
    out += "#\n# Before it is used:\n";
    for (const Import& one : imports_)
      append_comment(out, "",
                     "  " + import_command(one.label, one.certificate, one.key, one.usage));
    for (const std::string& command : commands_) append_comment(out, "", "  " + command);
  }
  if (!notes_.empty()) {
    out += "#\n# Has no counterpart, or needs a decision:\n";
    for (const Note& note : notes_)
      append_comment(out, "", "  " + file_ + ":" + std::to_string(note.line) + ": " + note.text);
  }
  if (!not_needed_.empty()) {
    std::string words;
    for (const std::string& word : not_needed_) words += (words.empty() ? "" : ", ") + word;
    out += "#\n";
    append_comment(out, "", "Not needed: " + words + ".");
  }
  out += "\nrules = (";
  for (const ConvertedRule& rule : rules_) {
    out += &rule == &rules_.front() ? "\n" : ",\n\n";
    append_comment(out, "  ", file_ + ":" + std::to_string(rule.line));
    for (const std::string& line : rule.comments) append_comment(out, "  ", line);
    out += "  {\n    name = " + in_quotes(rule.name) + ";\n";
    for (const std::string& line : rule.body) out += "    " + line + "\n";
    out += "  }";
  }
  return out + "\n);\n";
}

std::string label_from(std::string_view wish) {
  std::string label;
  for (const char c : wish) {
    const bool good = letters_and_digits.find(c) != std::string_view::npos ||
                      std::string_view("._-+@").find(c) != std::string_view::npos;
    label += good ? c : '-';
  }
  label.erase(0, label.find_first_not_of(".-"));
  label.resize(std::min(label.size(), keyring::max_label_length));
  return keyring::check_label(label) ? label : "imported";
}

std::string_view stem(std::string_view path) {
  path.remove_prefix(path.find_last_of('/') + 1);  // npos + 1 is 0
  const size_t dot = path.find_last_of('.');
  return dot == 0 || dot == std::string_view::npos ? path : path.substr(0, dot);
}

std::string shell_word(std::string_view word) {
  const auto safe = [](char c) {
    return letters_and_digits.find(c) != std::string_view::npos ||
           std::string_view("._-+@/:=,%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, safe)) return std::string(word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace gaiter::cli
