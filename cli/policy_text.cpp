#include "cli/policy_text.h"

#include <fmt/format.h>

namespace gaiter::cli {
namespace {

// A libconfig string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (byte < 0x20)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + "\"";
}

// A libconfig list: numbers as they are, ranges as strings.
std::string port_list(const std::vector<std::string>& ports) {
  std::string list;
  for (const std::string& port : ports) {
    if (!list.empty()) list += ", ";
    list += port.find('-') == std::string::npos ? port : quoted(port);
  }
  return fmt::format("({})", list);
}

}  // namespace

std::string keyring_setting(const std::string& path) {
  return fmt::format(" keyring = {};", quoted(path));
}

std::string policy_text(const RuleOptions& options) {
  std::string rules;
  if (!options.listen.empty()) {
    rules += fmt::format(
        "{{ name = \"--listen\"; direction = \"inbound\"; local_ports = {}; tls = \"required\";",
        port_list(options.listen));
    // Unsaid, it is the policy's own default that counts.
    if (!options.client_auth.empty())
      rules += fmt::format(" client_auth = {};", quoted(options.client_auth));
    rules += " }";
  }
  if (!options.connect.empty()) {
    rules += fmt::format(
        "{}{{ name = \"--connect\"; direction = \"outbound\"; remote_ports = {}; tls = "
        "\"required\"; "
        "verify = \"full\"; }}",
        rules.empty() ? "" : ", ", port_list(options.connect));
  }
  std::string text;
  if (!rules.empty()) text += fmt::format("rules = ( {} );", rules);
  if (options.strict) text += " unmatched = \"block\";";
  if (!options.keyring.empty()) text += keyring_setting(options.keyring);
  return text;
}

}  // namespace gaiter::cli
