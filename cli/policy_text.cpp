#include "cli/policy_text.h"

#include <fmt/format.h>

#include "cli/policy_values.h"

namespace gaiter::cli {
namespace {

// A list: numbers as they are, ranges as strings.
std::string port_list(const std::vector<std::string>& ports) {
  std::vector<std::string> values;
  for (const std::string& port : ports) values.push_back(port_value(port));
  return list_of(values);
}

// "any-trusted" stands alone; with patterns beside it the policy's reader says so.
std::string peer_list(const std::vector<std::string>& peers) {
  if (peers.size() == 1 && peers.front() == "any-trusted") return in_quotes(peers.front());
  std::vector<std::string> values;
  for (const std::string& peer : peers) values.push_back(in_quotes(peer));
  return list_of(values);
}

}  // namespace

std::string keyring_setting(const std::string& path) {
  return fmt::format(" keyring = {};", in_quotes(path));
}

std::string policy_text(const RuleOptions& options) {
  std::string rules;
  if (!options.listen.empty()) {
    rules += fmt::format(
        "{{ name = \"--listen\"; direction = \"inbound\"; local_ports = {}; tls = \"required\";",
        port_list(options.listen));
    // Unsaid, it is the policy's own default that counts.
    if (!options.client_auth.empty())
      rules += fmt::format(" client_auth = {};", in_quotes(options.client_auth));
    if (!options.allow.empty()) rules += fmt::format(" allow = {};", peer_list(options.allow));
    rules += " }";
  }
  if (!options.connect.empty()) {
    rules += fmt::format(
        "{}{{ name = \"--connect\"; direction = \"outbound\"; remote_ports = {}; tls = "
        "\"required\"; "
        "verify = \"full\";",
        rules.empty() ? "" : ", ", port_list(options.connect));
    if (!options.client_certificate.empty())
      rules += fmt::format(" certificate = {};", in_quotes(options.client_certificate));
    rules += " }";
  }
  std::string text;
  if (!rules.empty()) text += fmt::format("rules = ( {} );", rules);
  if (options.strict) text += " unmatched = \"block\";";
  if (!options.keyring.empty()) text += keyring_setting(options.keyring);
  return text;
}

}  // namespace gaiter::cli
