#include "policy/conditions.h"

#include "policy/address.h"
#include "policy/ports.h"
#include "policy/values.h"

namespace gaiter::policy {
namespace {

constexpr int64_t max_priority = 1'000'000;

void read_patterns(const Node& node, const std::string& when_empty, const char* wants,
                   auto is_right, std::vector<std::string>& out, const Report& report) {
  for (const Node* const element : one_or_more(node, when_empty, report)) {
    std::string text;
    if (!read_text(*element, text, report)) continue;
    if (text.find_first_of("[]{}") != std::string::npos) {
      report.value(*element, "only *, ** and ? have a meaning in a pattern");
    } else if (text.empty() || !is_right(text)) {
      report.value(*element, wants);
    } else {
      out.push_back(std::move(text));
    }
  }
}

std::string matches_nothing(const char* anything) {
  return std::string("matches nothing when empty; leave it out to match any ") + anything;
}

class Reader {
 public:
  Reader(Rule& rule, Accounts& accounts, const Report& report)
      : rule_(rule), accounts_(accounts), report_(report) {}

  void read(const Node& group) {
    for (const Node& node : group.children) {
      if (node.name == "local") addresses(node, rule_.local);
      if (node.name == "remote") addresses(node, rule_.remote);
      if (node.name == "local_ports") ports(node, rule_.local_ports);
      if (node.name == "remote_ports") ports(node, rule_.remote_ports);
      if (node.name == "program") programs(node);
      if (node.name == "user") users(node);
      if (node.name == "group") groups(node);
      if (node.name == "unit") units(node);
      if (node.name == "priority") priority(node);
    }
  }

 private:
  // One element or several; an empty list is a mistake, for no condition is
  // written by leaving it out.
  template <class Read>
  void each(const Node& node, const char* anything, Read read) {
    for (const Node* element : one_or_more(node, matches_nothing(anything), report_))
      read(*element);
  }

  void addresses(const Node& node, std::vector<AddressRange>& out) {
    bool any = false;
    each(node, "address", [&](const Node& element) {
      if (!element.is_text())
        return report_.type(element, "an address in quotes, or a list of these");
      any |= element.text == "any";
      auto ranges = parse_addresses(element.text);
      if (!ranges) return report_.value(element, ranges.error());
      out.insert(out.end(), ranges->begin(), ranges->end());
    });
    if (any) out.clear();  // as if it were left out: also what is not known yet
  }

  void ports(const Node& node, std::vector<PortRange>& out) {
    each(node, "port", [&](const Node& element) {
      if (!element.is_text() && element.type != Node::Type::integer)
        return report_.type(element, "a port, a range such as \"6000-6100\", or a list of these");
      const std::string text = element.is_text() ? element.text : std::to_string(element.integer);
      if (const auto port = service(text)) return out.push_back({*port, *port});
      if (auto range = parse_port_range(text)) return out.push_back(*range);
      if (is_service_name(text))
        return report_.value(element, "there is no such TCP service in /etc/services");
      report_.value(element, parse_port_range(text).error());
    });
  }

  // Names of services have a letter (RFC 6335, section 5.1), and may have hyphens.
  static bool is_service_name(std::string_view text) {
    bool letter = false;
    for (char c : text) {
      const bool is_letter = (c | 32) >= 'a' && (c | 32) <= 'z';
      letter |= is_letter;
      if (!is_letter && !(c >= '0' && c <= '9') &&
          std::string_view("-_+./").find(c) == std::string_view::npos)
        return false;
    }
    return letter;
  }

  std::optional<uint16_t> service(const std::string& text) {
    if (!is_service_name(text)) return {};
    return accounts_.service(text);
  }

  void programs(const Node& node) {
    read_programs(node, matches_nothing("program"), rule_.programs, report_);
  }

  void units(const Node& node) {
    read_patterns(
        node, matches_nothing("unit"),
        "expected a systemd unit with its suffix, such as \"redis.service\"",
        [](const std::string& text) {
          return text.find('/') == std::string::npos &&
                 (text.find('.') != std::string::npos || text.ends_with('*'));
        },
        rule_.units, report_);
  }

  void users(const Node& node) {
    accounts(node, "user", "/etc/passwd", rule_.users,
             [&](const std::string& name) { return accounts_.user(name); });
  }

  void groups(const Node& node) {
    accounts(node, "group", "/etc/group", rule_.groups,
             [&](const std::string& name) { return accounts_.group(name); });
  }

  void accounts(const Node& node, const std::string& what, const std::string& file,
                std::vector<uint32_t>& out, auto find) {
    each(node, what.c_str(), [&](const Node& element) {
      const bool number = element.type == Node::Type::integer;
      if (!number && !element.is_text())
        return report_.type(element, "a " + what + "'s name or number, or a list of these");
      if (number && (element.integer < 0 || element.integer >= UINT32_MAX))
        return report_.value(element, "expected a " + what + "'s number, 0 or more");
      if (number) return out.push_back(static_cast<uint32_t>(element.integer));
      const auto id = find(element.text);
      if (!id)
        return report_.value(element, "there is no such " + what + " in " + file +
                                          "; write the number of one that is kept elsewhere");
      out.push_back(*id);
    });
  }

  void priority(const Node& node) {
    int64_t number = 0;
    if (read_integer(node, "a priority", -max_priority, max_priority, number, report_))
      rule_.priority = static_cast<int>(number);
  }

  Rule& rule_;
  Accounts& accounts_;
  const Report& report_;
};

}  // namespace

void read_conditions(const Node& group, Rule& rule, Accounts& accounts, const Report& report) {
  Reader(rule, accounts, report).read(group);
}

void read_programs(const Node& node, const std::string& when_empty, std::vector<std::string>& out,
                   const Report& report) {
  read_patterns(
      node, when_empty,
      "expected a program's name or absolute path, such as \"redis-server\" or \"/usr/bin/*\"",
      [](const std::string& text) {
        return text.find('/') == std::string::npos || text.front() == '/' || text.starts_with("**");
      },
      out, report);
}

}  // namespace gaiter::policy
