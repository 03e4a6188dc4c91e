// A TTLSRule and its actions become one rule. Conditions that Gaiter cannot check in
// the same way are left out of a rule that protects, which then protects more; a
// rule that leaves connections in clear is left out as a whole.
#include <algorithm>

#include "cli/at_tls_service.h"
#include "cli/convert.h"
#include "cli/foreign_words.h"
#include "cli/policy_values.h"
#include "cli/text.h"

namespace gaiter::cli {
namespace {

using Statements = std::vector<const AtTlsStatement*>;
using Failure = std::unexpected<policy::Error>;

// "6379", "6000-6100"; "" for all ports. Also written with a blank between.
std::string port_range(std::string_view text) {
  const auto parts = split(text, " \t-");
  if (parts.empty() || lower_case(parts[0]) == "all") return "";
  const std::string first(parts[0]);
  const std::string last(parts.back());
  if (last == "65535" && (first == "1" || first == "0")) return "";
  return first == last ? first : first + "-" + last;
}

// An address, prefix or range; "" for all addresses.
std::string address(std::string_view text) {
  const std::string word = lower_case(text);
  if (word == "all") return "";
  if (word == "all4") return "0.0.0.0/0";
  if (word == "all6") return "::/0";
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t') out += c;
  return out;
}

class RuleConverter {
 public:
  RuleConverter(const AtTlsFile& file, const AtTlsStatement& rule, Conversion& conversion)
      : file_(file), rule_(rule), conversion_(conversion) {}

  std::expected<void, policy::Error> convert() {
    if (auto done = read_conditions(); !done) return done;
    auto actions = AtTlsActions::of(file_, rule_, conversion_.file());
    if (!actions) return std::unexpected(actions.error());
    for (const AtTlsStatement* parameter : actions->all())
      note_word(conversion_, at_tls_word(parameter->keyword), parameter->line, parameter->written,
                parameter->value);
    const bool off = actions->is("ttlsenabled", "off");
    if (off && !unchecked_.empty()) {
      conversion_.note(rule_.line, "TTLSRule " + rule_.value +
                                       " is left out: it leaves connections "
                                       "in clear by " +
                                       unchecked_ + ", which has no safe counterpart");
      return {};
    }
    for (const std::string_view direction : {"inbound", "outbound"})
      if (direction_ == direction || direction_ == "both") add(direction, *actions, off);
    return {};
  }

 private:
  std::expected<void, policy::Error> read_conditions() {
    for (const AtTlsStatement& condition : rule_.body) {
      const std::string& word = condition.keyword;
      if (word == "direction") {
        direction_ = lower_case(condition.value);
      } else if (word == "priority" || word.starts_with("ttls")) {
        continue;  // the order; the actions
      } else if (word == "jobname" || word == "userid") {
        if (condition.value == "*") continue;
        unchecked_ = condition.written;
        hints_.push_back(hint(word, condition.value));
        conversion_.note(condition.line, condition.written + " " + condition.value +
                                             ": names of z/OS are not those of this host: see the "
                                             "line in the rule");
      } else if (word.starts_with("local") || word.starts_with("remote")) {
        if (auto done = read_side(condition); !done) return done;
      } else {
        conversion_.note(condition.line, condition.written + ": not known");
      }
    }
    if (direction_ == "inbound" || direction_ == "outbound" || direction_ == "both") return {};
    return Failure({conversion_.file(), rule_.line,
                    "TTLSRule " + rule_.value + ": expected Direction Inbound, Outbound or Both"});
  }

  // The condition as it may be meant, for a person to look at.
  static std::string hint(std::string_view word, std::string_view value) {
    return "# " + std::string(word == "jobname" ? "program" : "user") + " = " +
           in_quotes(lower_case(value)) + ";";
  }

  std::expected<void, policy::Error> read_side(const AtTlsStatement& condition) {
    const bool local = condition.keyword.starts_with("local");
    const bool ports = condition.keyword.find("port") != std::string::npos;
    const auto values = file_.parameters(condition);
    if (!values) return Failure(values.error());
    auto& list = ports ? (local ? local_ports_ : remote_ports_) : (local ? local_ : remote_);
    for (const AtTlsStatement* value : *values) {
      const std::string text = ports ? port_range(value->value) : address(value->value);
      if (!text.empty()) list.push_back(ports ? port_value(text) : in_quotes(text));
    }
    return {};
  }

  void add(std::string_view direction, const AtTlsActions& actions, bool off) {
    ConvertedRule& rule = conversion_.add_rule(
        direction_ == "both" ? rule_.value + " " + std::string(direction) : rule_.value,
        rule_.line);
    rule.comment("TTLSRule " + rule_.value);
    rule.set("direction", in_quotes(direction));
    if (!local_.empty()) rule.set("local", one_or_list(local_));
    if (!remote_.empty()) rule.set("remote", one_or_list(remote_));
    if (!local_ports_.empty()) rule.set("local_ports", one_or_list(local_ports_));
    if (!remote_ports_.empty()) rule.set("remote_ports", one_or_list(remote_ports_));
    for (const std::string& one : hints_) rule.body.push_back(one);
    if (off)
      rule.set("tls", in_quotes("off"));
    else
      convert_at_tls_actions(actions, direction, rule, conversion_);
  }

  const AtTlsFile& file_;
  const AtTlsStatement& rule_;
  Conversion& conversion_;
  std::string direction_;
  std::vector<std::string> local_, remote_, local_ports_, remote_ports_;
  std::vector<std::string> hints_;
  std::string unchecked_;  // the condition that is left out; "" = none is
};

// Highest priority first, then by name.
int priority_of(const AtTlsStatement& rule) {
  int priority = 1;
  for (const AtTlsStatement& condition : rule.body) {
    if (condition.keyword != "priority") continue;
    priority = 0;
    for (const char c : condition.value.substr(0, 9))
      if (c >= '0' && c <= '9') priority = priority * 10 + (c - '0');
  }
  return priority;
}

bool is_referenced_kind(std::string_view keyword) {
  return keyword.starts_with("ttls") || keyword.starts_with("ipaddr") ||
         keyword.starts_with("port");
}

}  // namespace

std::expected<Conversion, policy::Error> convert_at_tls(std::string_view text,
                                                        const std::string& name) {
  const auto file = AtTlsFile::parse(text, name);
  if (!file) return std::unexpected(file.error());
  Conversion conversion(name);
  Statements rules;
  for (const AtTlsStatement& statement : file->statements()) {
    if (statement.keyword == "ttlsrule")
      rules.push_back(&statement);
    else if (!is_referenced_kind(statement.keyword))
      conversion.note(statement.line, statement.written + ": is about the policy agent");
  }
  if (rules.empty()) return std::unexpected(policy::Error{name, 0, "there is no TTLSRule in it"});
  std::ranges::stable_sort(rules, [](const AtTlsStatement* a, const AtTlsStatement* b) {
    return std::pair(-priority_of(*a), a->value) < std::pair(-priority_of(*b), b->value);
  });
  for (const AtTlsStatement* rule : rules)
    if (auto done = RuleConverter(*file, *rule, conversion).convert(); !done)
      return std::unexpected(done.error());
  return conversion;
}

}  // namespace gaiter::cli
