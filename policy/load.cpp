// From documents to a policy: what holds for all rules first, then every rule.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "policy/accounts.h"
#include "policy/conditions.h"
#include "policy/matcher.h"
#include "policy/policy.h"
#include "policy/read.h"
#include "policy/report.h"
#include "policy/section.h"
#include "policy/source.h"
#include "policy/syntax.h"
#include "policy/values.h"

namespace gaiter::policy {
namespace {

const std::vector<std::string_view> global_keys = {"keyring",          "unmatched", "children",
                                                   "trusted_children", "defaults",  "rules"};
const std::vector<std::string_view> section_keys = {"inbound", "outbound"};
constexpr size_t max_includes = 256;  // of one policy: files may include others twice

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

// Goes on after an error, to find the others too.
class Loader {
 public:
  Loader(Policy& policy, std::vector<Error>& errors)
      : policy_(policy), report_(policy.files_, errors), errors_(errors) {}

  void load(const Source& source) {
    for (Document& document : read_documents(source, errors_)) parse_document(std::move(document));
    // Text lies over gaiter.conf, so it is applied last.
    for (auto parsed = parsed_.rbegin(); parsed != parsed_.rend(); ++parsed)
      if (parsed->document.port == 0) read_globals(parsed->root);
    for (const Parsed& parsed : parsed_) read_rules(parsed);
    std::ranges::stable_sort(policy_.rules_, std::greater(), &Rule::priority);
    sort_errors();
    if (errors_.empty() && !policy_.rules_.empty())
      policy_.matcher_ = std::make_shared<const Matcher>(policy_.rules_);
  }

 private:
  struct Parsed {
    Document document;
    Node root;
  };

  // ---- files ----

  void parse_document(Document document) {
    const int file = add_file(document.name);
    auto root = parse(document.text, file,
                      [this](int from, const std::string& path) { return include(from, path); });
    document.text.clear();
    if (root) {
      parsed_.push_back({std::move(document), std::move(*root)});
    } else {
      report_.add(root.error().file, root.error().line, root.error().message);
    }
  }

  int add_file(const std::string& name) {
    const auto known = std::ranges::find(policy_.files_, name);
    if (known != policy_.files_.end()) return static_cast<int>(known - policy_.files_.begin());
    policy_.files_.push_back(name);
    return static_cast<int>(policy_.files_.size()) - 1;
  }

  // Relative to the folder of the file that includes it.
  std::expected<Included, std::string> include(int from, std::string path) {
    const std::string& includer = policy_.files_[static_cast<size_t>(from)];
    if (path.empty() || path.ends_with('/')) return std::unexpected("expected a file");
    if (!path.starts_with('/')) {
      if (includer == text_name)
        return std::unexpected("a text has no folder; expected an absolute path");
      path.insert(0, includer, 0, includer.rfind('/') + 1);
    }
    if (++includes_ > max_includes)
      return std::unexpected("more than " + std::to_string(max_includes) + " files are included");
    auto text = read_file(path);
    if (!text) return std::unexpected(text.error().text());
    return Included{add_file(path), std::move(*text)};
  }

  // ---- what holds for all rules ----

  Layer& defaults(Direction direction) {
    return direction == Direction::inbound ? inbound_defaults_ : outbound_defaults_;
  }

  void read_globals(const Node& root) {
    for (const Node& node : root.children) {
      if (node.name == "keyring") {
        read_keyring(node);
      } else if (node.name == "unmatched") {
        policy_.unmatched_is_said_ |=
            read_word<Unmatched>(node, unmatched_words, policy_.unmatched_, report_);
      } else if (node.name == "children") {
        read_word<Children>(node, children_words, policy_.children_, report_);
      } else if (node.name == "trusted_children") {
        policy_.trusted_children_.clear();
        read_programs(node, "leave it out to trust none", policy_.trusted_children_, report_);
      } else if (node.name == "defaults") {
        read_defaults(node);
      } else if (contains(section_keys, node.name) || is_setting_key(node.name)) {
        report_.key(node,
                    "belongs in a file named for its port, such as policy.d/6379.conf, or here in "
                    "defaults or a rule");
      } else if (node.name != "rules") {
        report_.unknown_key(node, global_keys);
      }
    }
  }

  void read_keyring(const Node& node) {
    std::string path;
    if (!read_path(node, false, "/etc/gaiter/keyring", path, report_)) return;
    for (size_t at = path.find('%'); at != std::string::npos; at = path.find('%', at + 1)) {
      if (path.substr(at, 2) != "%u")
        return report_.value(node, "only %u, the name of the process's user, may stand in it");
    }
    policy_.keyring_ = std::move(path);
  }

  void read_defaults(const Node& group) {
    if (!group.is_group()) return report_.type(group, "a group { }");
    for (const Node& section : group.children)
      if (auto direction = read_section_name(section))
        read_section(section, *direction, false, {}, defaults(*direction));
  }

  std::optional<Direction> read_section_name(const Node& node) {
    if (!contains(section_keys, node.name)) {
      if (is_setting_key(node.name)) {
        report_.key(node, "belongs inside inbound = { } or outbound = { }");
      } else if (contains(global_keys, node.name)) {
        report_.key(node, "belongs in gaiter.conf");
      } else {
        report_.unknown_key(node, section_keys);
      }
      return {};
    }
    if (!node.is_group()) {
      report_.type(node, "a group { }");
      return {};
    }
    return node.name == "inbound" ? Direction::inbound : Direction::outbound;
  }

  // `also`: keys that are valid here and that somebody else reads.
  void read_section(const Node& group, Direction direction, bool both,
                    std::span<const std::string_view> also, Layer& layer) {
    std::vector<std::string_view> others(also.begin(), also.end());
    for (const Node& node : group.children) {
      if (contains(also, node.name) || !contains(rule_keys, node.name)) continue;
      report_.key(node, "belongs to a rule in gaiter.conf");
      others.push_back(node.name);
    }
    read_settings(group, direction, both, others, layer, report_);
  }

  // ---- rules ----

  void read_rules(const Parsed& parsed) {
    if (parsed.document.port != 0) return read_port_file(parsed);
    const Node* const rules = parsed.root.find("rules");
    if (rules == nullptr) return;
    if (rules->type != Node::Type::list)
      return report_.type(*rules, "a list of groups, ( { ... }, { ... } )");
    int number = 0;
    for (const Node& rule : rules->children) {
      number++;
      if (rule.is_group()) {
        read_rule(rule, number, parsed.document.basename);
      } else {
        report_.type(rule, "a group { } for each rule");
      }
    }
  }

  void read_port_file(const Parsed& parsed) {
    const Document& document = parsed.document;
    if (parsed.root.children.empty())
      report_.add(parsed.root.file, 0, "says nothing: expected inbound = { }, outbound = { }");
    for (const Node& section : parsed.root.children) {
      const auto direction = read_section_name(section);
      if (!direction) continue;
      Rule rule;
      rule.name = document.basename + ":" + std::string(to_string(*direction));
      rule.direction = *direction;
      ports(rule) = {{document.port, document.port}};
      add(std::move(rule), section, false, {});
    }
  }

  // The side of a connection whose port a policy file's name is.
  static std::vector<PortRange>& ports(Rule& rule) {
    return rule.direction == Direction::inbound ? rule.local_ports : rule.remote_ports;
  }

  void read_rule(const Node& group, int number, const std::string& basename) {
    const Node* const direction = group.find("direction");
    if (direction == nullptr)
      return report_.add(group.file, group.line,
                         "direction is missing: a rule is \"inbound\", \"outbound\" or \"both\"");
    RuleDirection written;
    if (!read_word<RuleDirection>(*direction, rule_direction_words, written, report_)) return;
    Rule rule;
    rule.name = (basename.empty() ? "" : basename + ":") + "rule " + std::to_string(number);
    if (const Node* const name = group.find("name")) read_name(*name, rule.name);
    read_conditions(group, rule, accounts_, report_);
    const bool both = written == RuleDirection::both;
    for (Direction one : {Direction::inbound, Direction::outbound}) {
      if (!both && written != static_cast<RuleDirection>(one)) continue;
      rule.direction = one;
      add(rule, group, both, rule_keys);
    }
  }

  void read_name(const Node& node, std::string& out) {
    std::string name;
    if (!read_text(node, name, report_)) return;
    if (name.empty() || plain(name) != name)
      return report_.value(node, "expected a short name of printable characters");
    if (!names_.insert(name).second)
      return report_.value(node, "another rule has this name already");
    out = name;
  }

  // Puts the settings of `group` into the rule, and the rule into the policy.
  void add(Rule rule, const Node& group, bool both, std::span<const std::string_view> also) {
    const Layer& base = defaults(rule.direction);
    Layer layer = base;
    read_section(group, rule.direction, both, also, layer);
    rule.file = policy_.files_[static_cast<size_t>(group.file)];
    rule.line = group.line;
    rule.settings = std::move(layer.settings);
    rule.origins = layer.origins;
    resolve(rule, group.file, base, report_);
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
  const Report report_;
  std::vector<Error>& errors_;
  std::vector<Parsed> parsed_;
  Accounts accounts_;
  size_t includes_ = 0;
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
