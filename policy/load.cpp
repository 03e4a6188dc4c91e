// From documents to a policy: what holds for all rules first, then every rule.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "policy/policy.h"
#include "policy/ports.h"
#include "policy/report.h"
#include "policy/section.h"
#include "policy/source.h"
#include "policy/syntax.h"

namespace gaiter::policy {
namespace {

constexpr std::string_view global_keys[] = {"keyring", "unmatched", "defaults", "rules"};
constexpr std::string_view section_keys[] = {"inbound", "outbound"};
constexpr std::string_view rule_keys[] = {"direction", "local_ports", "remote_ports", "name"};
constexpr size_t max_ranges = 100;  // of one rule and side; more are one range, or more rules

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

// Goes on after an error, to find the others too.
class Loader {
 public:
  Loader(Policy& policy, std::vector<Error>& errors) : policy_(policy), errors_(errors) {}

  void load(const Source& source) {
    for (Document& document : read_documents(source, errors_)) {
      policy_.files_.push_back(document.name);
      auto tree = parse(document.text);
      if (!tree) errors_.push_back({document.name, tree.error().line, tree.error().message});
      document.text.clear();
      parsed_.push_back({std::move(document), tree ? std::move(*tree) : nullptr});
    }
    // Text lies over gaiter.conf, so it is applied last.
    for (size_t file = parsed_.size(); file-- > 0;)
      if (parsed_[file].tree && parsed_[file].document.port == 0) read_globals(file);
    for (size_t file = 0; file < parsed_.size(); file++)
      if (parsed_[file].tree) read_rules(file);
    sort_errors();
  }

 private:
  struct Parsed {
    Document document;
    Tree tree;  // null after a syntax error
  };

  Report report(size_t file) { return Report(parsed_[file].document.name, errors_); }

  std::vector<const config_setting_t*> top_level(size_t file) {
    return elements(*config_root_setting(parsed_[file].tree.get()));
  }

  Layer& defaults(Direction direction) {
    return direction == Direction::inbound ? inbound_defaults_ : outbound_defaults_;
  }

  void read_globals(size_t file) {
    const Report wrong = report(file);
    for (const config_setting_t* setting : top_level(file)) {
      const std::string_view name = config_setting_name(setting);
      if (name == "keyring") {
        read_keyring(*setting, wrong);
      } else if (name == "unmatched") {
        read_word<Unmatched>(*setting, unmatched_words, policy_.unmatched_, wrong);
      } else if (name == "defaults") {
        read_defaults(*setting, file);
      } else if (name == "inbound" || name == "outbound" || is_setting_key(name)) {
        wrong.key(*setting,
                  "belongs in a file named for its port, such as policy.d/6379.conf, or here in "
                  "defaults or a rule");
      } else if (name != "rules") {
        wrong.key(*setting, "unknown key; " + suggest_key(name, global_keys));
      }
    }
  }

  void read_keyring(const config_setting_t& setting, const Report& wrong) {
    std::string path;
    if (!read_text(setting, path, wrong)) return;
    if (!path.starts_with('/')) {
      wrong.value(setting, path.starts_with('~')
                               ? "~ is not expanded; expected an absolute path"
                               : "expected an absolute path, such as \"/etc/gaiter/keyring\"");
      return;
    }
    policy_.keyring_ = path;
  }

  void read_defaults(const config_setting_t& group, size_t file) {
    const Report wrong = report(file);
    if (!config_setting_is_group(&group)) return wrong.type(group, "a group { }");
    for (const config_setting_t* section : elements(group)) {
      if (auto direction = read_section_name(*section, wrong))
        read_section(*section, *direction, file, {}, defaults(*direction));
    }
  }

  void read_rules(size_t file) {
    if (parsed_[file].document.port != 0) return read_port_file(file);
    const config_setting_t* rules = config_lookup(parsed_[file].tree.get(), "rules");
    if (!rules) return;
    const Report wrong = report(file);
    if (!config_setting_is_list(rules))
      return wrong.type(*rules, "a list of groups, ( { ... }, { ... } )");
    int number = 0;
    for (const config_setting_t* rule : elements(*rules)) {
      number++;
      if (config_setting_is_group(rule)) {
        read_rule(*rule, number, file);
      } else {
        wrong.type(*rule, "a group { } for each rule");
      }
    }
  }

  void read_port_file(size_t file) {
    const Report wrong = report(file);
    const Document& document = parsed_[file].document;
    const auto sections = top_level(file);
    if (sections.empty()) wrong.add(0, "says nothing: expected inbound = { }, outbound = { }");
    for (const config_setting_t* section : sections) {
      const auto direction = read_section_name(*section, wrong);
      if (!direction) continue;
      Layer layer = defaults(*direction);
      read_section(*section, *direction, file, {}, layer);
      Rule rule;
      rule.name = document.basename + ":" + std::string(to_string(*direction));
      rule.direction = *direction;
      ports(rule) = {{document.port, document.port}};
      add(std::move(rule), file, line_of(*section), layer);
    }
  }

  // The side of a connection whose port a policy file's name is.
  static std::vector<PortRange>& ports(Rule& rule) {
    return rule.direction == Direction::inbound ? rule.local_ports : rule.remote_ports;
  }

  static std::optional<Direction> read_section_name(const config_setting_t& setting,
                                                    const Report& wrong) {
    const std::string_view name = config_setting_name(&setting);
    if (!contains(section_keys, name)) {
      if (is_setting_key(name)) {
        wrong.key(setting, "belongs inside inbound = { } or outbound = { }");
      } else if (contains(global_keys, name)) {
        wrong.key(setting, "belongs in gaiter.conf");
      } else {
        wrong.key(setting, "unknown key; " + suggest_key(name, section_keys));
      }
      return {};
    }
    if (!config_setting_is_group(&setting)) {
      wrong.type(setting, "a group { }");
      return {};
    }
    return name == "inbound" ? Direction::inbound : Direction::outbound;
  }

  // `also`: keys that are valid here and that somebody else reads.
  void read_section(const config_setting_t& group, Direction direction, size_t file,
                    std::span<const std::string_view> also, Layer& layer) {
    const Report wrong = report(file);
    for (const config_setting_t* setting : elements(group)) {
      const std::string_view name = config_setting_name(setting);
      if (contains(also, name)) continue;
      if (contains(rule_keys, name)) {
        wrong.key(*setting, "belongs to a rule in gaiter.conf");
        continue;
      }
      read_setting(*setting, direction, static_cast<int>(file), also, layer, wrong);
    }
  }

  void read_rule(const config_setting_t& group, int number, size_t file) {
    const Report wrong = report(file);
    const config_setting_t* direction = config_setting_get_member(&group, "direction");
    Rule rule;
    if (!direction) {
      wrong.add(line_of(group), "direction is missing: a rule is \"inbound\" or \"outbound\"");
      return;
    }
    if (!read_word<Direction>(*direction, direction_words, rule.direction, wrong)) return;
    const std::string& file_name = parsed_[file].document.basename;
    rule.name = (file_name.empty() ? "" : file_name + ":") + "rule " + std::to_string(number);
    if (const auto* local = config_setting_get_member(&group, "local_ports"))
      read_ports(*local, rule.local_ports, wrong);
    if (const auto* remote = config_setting_get_member(&group, "remote_ports"))
      read_ports(*remote, rule.remote_ports, wrong);
    if (const auto* name = config_setting_get_member(&group, "name"))
      read_name(*name, rule.name, wrong);
    Layer layer = defaults(rule.direction);
    read_section(group, rule.direction, file, rule_keys, layer);
    add(std::move(rule), file, line_of(group), layer);
  }

  static void read_ports(const config_setting_t& setting, std::vector<PortRange>& ranges,
                         const Report& wrong) {
    const bool several = config_setting_is_array(&setting) || config_setting_is_list(&setting);
    const auto written = several ? elements(setting) : std::vector{&setting};
    if (written.empty())
      wrong.key(setting, "matches nothing when empty; leave it out to match any port");
    if (written.size() > max_ranges)
      return wrong.key(setting, "more than " + std::to_string(max_ranges) +
                                    " ports; write ranges, or several rules");
    for (const config_setting_t* element : written) {
      std::string text;
      if (config_setting_type(element) == CONFIG_TYPE_STRING) {
        text = config_setting_get_string(element);
      } else if (config_setting_type(element) == CONFIG_TYPE_INT) {
        text = std::to_string(config_setting_get_int(element));
      } else {
        wrong.type(*element, "a port, a range such as \"6000-6100\", or a list of these");
        continue;
      }
      if (auto range = parse_port_range(text)) {
        ranges.push_back(*range);
      } else {
        wrong.value(*element, range.error());
      }
    }
  }

  void read_name(const config_setting_t& setting, std::string& out, const Report& wrong) {
    std::string name;
    if (!read_text(setting, name, wrong)) return;
    if (name.empty() || plain(name) != name)
      return wrong.value(setting, "expected a short name of printable characters");
    if (!names_.insert(name).second)
      return wrong.value(setting, "another rule has this name already");
    out = name;
  }

  void add(Rule rule, size_t file, int line, const Layer& layer) {
    rule.file = parsed_[file].document.name;
    rule.line = line;
    rule.settings = layer.settings;
    if (rule.is_tls_server() && rule.settings.certificates.empty())
      rule.settings.certificates = {""};
    rule.origins = layer.origins;
    policy_.rules_.push_back(std::move(rule));
  }

  // By document and line, as a person reads them; what was never a document first.
  void sort_errors() {
    std::map<std::string_view, int> places;
    for (const std::string& file : policy_.files_)
      places.emplace(file, static_cast<int>(places.size()) + 1);
    std::stable_sort(errors_.begin(), errors_.end(), [&](const Error& a, const Error& b) {
      return std::pair(places[a.file], a.line) < std::pair(places[b.file], b.line);
    });
  }

  Policy& policy_;
  std::vector<Error>& errors_;
  std::vector<Parsed> parsed_;
  Layer inbound_defaults_;
  Layer outbound_defaults_;
  std::set<std::string> names_;  // that rules were given
};

std::expected<Policy, Error> Policy::load(const Source& source) {
  Policy policy;
  std::vector<Error> errors;
  Loader(policy, errors).load(source);
  if (!errors.empty()) return std::unexpected(std::move(errors.front()));
  return policy;
}

std::vector<Error> Policy::check(const Source& source) {
  Policy policy;
  std::vector<Error> errors;
  Loader(policy, errors).load(source);
  return errors;
}

}  // namespace gaiter::policy
