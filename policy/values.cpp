#include "policy/values.h"

namespace gaiter::policy {
namespace {

std::string in_seconds(std::chrono::milliseconds time) {
  return shortest(static_cast<double>(time.count()) / 1000);
}

}  // namespace

bool read_text(const Node& node, std::string& out, const Report& report) {
  if (!node.is_text()) {
    report.type(node, "text in quotes");
    return false;
  }
  out = node.text;
  return true;
}

bool read_boolean(const Node& node, bool& out, const Report& report) {
  if (node.type != Node::Type::boolean) {
    report.type(node, "true or false");
    return false;
  }
  out = node.boolean;
  return true;
}

bool read_integer(const Node& node, std::string_view what, int64_t least, int64_t most,
                  int64_t& out, const Report& report) {
  const std::string wanted =
      std::string(what) + ", from " + std::to_string(least) + " to " + std::to_string(most);
  if (node.type != Node::Type::integer) {
    report.type(node, wanted);
    return false;
  }
  if (node.integer < least || node.integer > most) {
    report.value(node, "out of range; expected " + wanted);
    return false;
  }
  out = node.integer;
  return true;
}

bool read_seconds(const Node& node, std::chrono::milliseconds least, std::chrono::milliseconds most,
                  std::chrono::milliseconds& out, const Report& report) {
  const std::string wanted = "seconds, from " + in_seconds(least) + " to " + in_seconds(most);
  const bool fraction = node.type == Node::Type::fraction;
  if (!fraction && node.type != Node::Type::integer) {
    report.type(node, wanted);
    return false;
  }
  const double milliseconds = (fraction ? node.fraction : static_cast<double>(node.integer)) * 1000;
  if (!(milliseconds >= static_cast<double>(least.count()) &&
        milliseconds <= static_cast<double>(most.count()))) {
    report.value(node, "out of range; expected " + wanted);
    return false;
  }
  out = std::chrono::milliseconds(static_cast<int64_t>(milliseconds + 0.5));
  return true;
}

bool read_path(const Node& node, bool may_be_empty, std::string_view example, std::string& out,
               const Report& report) {
  std::string path;
  if (!read_text(node, path, report)) return false;
  if (!path.starts_with('/') && !(path.empty() && may_be_empty)) {
    report.value(node, path.starts_with('~')
                           ? "~ is not expanded; expected an absolute path"
                           : "expected an absolute path, such as " + quote(example));
    return false;
  }
  out = std::move(path);
  return true;
}

std::vector<const Node*> one_or_more(const Node& node, const std::string& when_empty,
                                     const Report& report) {
  if (!node.is_sequence()) return {&node};
  if (node.children.empty()) report.key(node, when_empty);
  if (node.children.size() > max_elements) {
    report.key(node, "more than " + std::to_string(max_elements) +
                         " elements; write ranges, or several rules");
    return {};
  }
  std::vector<const Node*> elements;
  for (const Node& child : node.children) elements.push_back(&child);
  return elements;
}

}  // namespace gaiter::policy
