#include "cli/at_tls_file.h"

#include <algorithm>

#include "cli/text.h"
#include "policy/vocabulary.h"

namespace gaiter::cli {
namespace {

// The line without its comment.
std::string_view without_comment(std::string_view line) {
  for (size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || blanks.find(line[at - 1]) != std::string_view::npos) return line.substr(0, at);
  return line;
}

AtTlsStatement statement_of(std::string_view text, int line) {
  const size_t end = std::min(text.find_first_of(blanks), text.size());
  return {lower_case(text.substr(0, end)), std::string(text.substr(0, end)),
          std::string(trimmed(text.substr(end))), line};
}

// The kind of statement that a parameter such as LocalAddrSetRef refers to; "" if
// it is no reference.
std::string referenced_kind(std::string_view keyword) {
  if (!keyword.ends_with("ref")) return "";
  std::string kind(keyword.substr(0, keyword.size() - 3));
  for (const std::string_view side : {"local", "remote"})
    if (kind.starts_with(side)) kind.erase(0, side.size());
  return kind.starts_with("addr") ? "ip" + kind : kind;
}

}  // namespace

std::expected<AtTlsFile, policy::Error> AtTlsFile::parse(std::string_view text,
                                                         const std::string& name) {
  AtTlsFile file;
  file.name_ = name;
  std::vector<AtTlsBody*> open = {&file.statements_};  // what the next statement may belong to
  std::vector<int> opened_at;
  int number = 0;
  const auto wrong = [&](int line, std::string message) {
    return std::unexpected(policy::Error{name, line, std::move(message)});
  };
  for (const std::string_view whole : lines_of(text)) {
    number++;
    std::string_view line = trimmed(without_comment(whole));
    while (!line.empty()) {
      const size_t brace = std::min(line.find_first_of("{}"), line.size());
      if (const std::string_view words = trimmed(line.substr(0, brace)); !words.empty())
        open.back()->push_back(statement_of(words, number));
      if (brace == line.size()) break;
      if (line[brace] == '{') {
        if (open.back()->empty() || open.back()->back().has_body)
          return wrong(number, "{ without a statement before it");
        AtTlsStatement& statement = open.back()->back();
        statement.has_body = true;
        open.push_back(&statement.body);
        opened_at.push_back(number);
      } else {
        if (opened_at.empty()) return wrong(number, "} without its {");
        open.pop_back();
        opened_at.pop_back();
      }
      line = trimmed(line.substr(brace + 1));
    }
  }
  if (!opened_at.empty()) return wrong(opened_at.back(), "{ without its }");
  return file;
}

std::expected<const AtTlsStatement*, policy::Error> AtTlsFile::find(
    std::string_view keyword, const AtTlsStatement& reference) const {
  std::vector<std::string_view> names;
  for (const AtTlsStatement& statement : statements_) {
    if (statement.keyword != keyword) continue;
    if (statement.value == reference.value) return &statement;
    names.push_back(statement.value);
  }
  return std::unexpected(
      policy::Error{name_, reference.line,
                    reference.written + " " + reference.value + ": no statement has this name" +
                        (names.empty() ? "" : "; " + policy::suggest_key(reference.value, names))});
}

std::expected<std::vector<const AtTlsStatement*>, policy::Error> AtTlsFile::parameters(
    const AtTlsStatement& statement) const {
  std::vector<const AtTlsStatement*> found;
  if (auto done = collect(statement, 0, found); !done) return std::unexpected(done.error());
  return found;
}

std::expected<void, policy::Error> AtTlsFile::collect(
    const AtTlsStatement& statement, int depth, std::vector<const AtTlsStatement*>& found) const {
  constexpr int deepest = 8;  // of statements that refer to each other
  if (depth > deepest)
    return std::unexpected(
        policy::Error{name_, statement.line, "the references lead in a circle, or too deep"});
  const std::string kind = referenced_kind(statement.keyword);
  const AtTlsStatement* inner = statement.has_body ? &statement : nullptr;
  if (!kind.empty()) {
    const auto referenced = find(kind, statement);
    if (!referenced) return std::unexpected(referenced.error());
    inner = *referenced;
  }
  if (inner == nullptr) {
    found.push_back(&statement);
    return {};
  }
  for (const AtTlsStatement& child : inner->body)
    if (auto done = collect(child, depth + 1, found); !done) return done;
  return {};
}

}  // namespace gaiter::cli
