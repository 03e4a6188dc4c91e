// The certificates of a service of stunnel's: its own, and those of its peers.
#include <algorithm>

#include "cli/certificate_file.h"
#include "cli/policy_values.h"
#include "cli/stunnel_service.h"

namespace gaiter::cli {
namespace {

// What is asked of the peer's certificate, in one shape for `verify`'s levels and
// the options that took their place.
struct Verification {
  bool required = false;  // of a client; a server always shows one
  bool chain = false;
  bool peer = false;  // it must be one of CAfile
  int line = 0;
};

Verification verification(const StunnelOptions& options) {
  Verification wanted;
  if (const StunnelOption* level = options.last("verify")) {
    const std::string& value = level->value;
    wanted = {.required = value >= "2",
              .chain = value == "1" || value == "2" || value == "3",
              .peer = value == "3" || value == "4",
              .line = level->line};
  }
  for (const std::string_view name : {"verifychain", "verifypeer", "requirecert"}) {
    if (!options.yes(name)) continue;
    wanted.line = options.last(name)->line;
    wanted.required = true;
    wanted.chain |= name == "verifychain";
    wanted.peer |= name == "verifypeer";
  }
  // Of a server: "no" after a wish to verify asks for no certificate but looks at one.
  if (const StunnelOption* require = options.last("requirecert");
      require != nullptr && !options.yes("requirecert"))
    wanted.required = false;
  return wanted;
}

// The subject checks, of which one has to hold: "dns:NAME", ...
std::vector<std::string> peer_names(const StunnelOptions& options) {
  std::vector<std::string> patterns;
  for (const StunnelOption* one : options.values("checkhost"))
    patterns.push_back("dns:" + one->value);
  for (const StunnelOption* one : options.values("checkemail"))
    patterns.push_back("email:" + one->value);
  for (const StunnelOption* one : options.values("checkip")) patterns.push_back("ip:" + one->value);
  return patterns;
}

// What the keyring has to trust. With `peer` the allowed certificates themselves,
// as patterns.
std::vector<std::string> trust(const Verification& wanted, const StunnelOptions& options,
                               Conversion& conversion) {
  std::vector<std::string> allowed;
  for (const StunnelOption* file : options.values("cafile")) {
    conversion.trust_label(file->value, wanted.peer ? "site" : "ca", stem(file->value));
    if (!wanted.peer) continue;
    const auto fingerprints = fingerprints_of_file(file->value);
    if (!fingerprints) {
      conversion.note(file->line, file->written + ": " + fingerprints.error() +
                                      ": name the certificates in it, allow = [ "
                                      "\"fingerprint:SHA256\" ]");
      continue;
    }
    for (const std::string& one : *fingerprints) allowed.push_back("fingerprint:" + one);
  }
  if (const StunnelOption* path = options.last("capath")) {
    conversion.command("for f in " + shell_word(path->value) +
                       "/*.pem; do gaiter keyring "
                       "import \"$(basename \"$f\" .pem)\" --cert \"$f\"; done");
    if (wanted.peer)
      conversion.note(
          path->line,
          path->written + ": name the certificates in it, allow = [ \"fingerprint:SHA256\" ]");
  }
  return allowed;
}

void convert_revocation(const StunnelOptions& options, ConvertedRule& rule,
                        Conversion& conversion) {
  const StunnelOption* file = options.last("crlfile");
  const StunnelOption* path = options.last("crlpath");
  if (file == nullptr && path == nullptr) return;
  rule.set("revocation", quoted("hard"));
  const std::string files =
      file != nullptr ? shell_word(file->value) : shell_word(path->value) + "/*.pem";
  conversion.note(
      (file != nullptr ? file : path)->line,
      "CRLs belong to the keyring's entry of their CA: copy " + files + " to its crl.pem");
}

}  // namespace

std::optional<std::string> stunnel_identity(const StunnelOptions& options, Conversion& conversion) {
  const StunnelOption* cert = options.last("cert");
  if (cert == nullptr) {
    conversion.note(options.service().line, "[" + options.service().name +
                                                "] names no cert: the keyring's default is used");
    return std::nullopt;
  }
  const StunnelOption* key = options.last("key");
  return conversion.identity_label(cert->value, key != nullptr ? key->value : "",
                                   stem(cert->value));
}

void convert_stunnel_client_auth(const StunnelOptions& options, ConvertedRule& rule,
                                 Conversion& conversion) {
  const Verification wanted = verification(options);
  if (!wanted.chain && !wanted.peer) {
    if (wanted.line != 0)
      conversion.note(wanted.line, "a client's certificate that nobody verifies is not asked for");
    return;
  }
  const std::vector<std::string> certificates = trust(wanted, options, conversion);
  const std::vector<std::string> allowed = wanted.peer ? certificates : peer_names(options);
  rule.set("client_auth", quoted(wanted.required ? "required" : "optional"));
  if (!allowed.empty())
    rule.set("allow", array_of(allowed));
  else if (wanted.required)
    rule.set("allow", quoted("any-trusted"));
  convert_revocation(options, rule, conversion);
}

void convert_stunnel_verify(const StunnelOptions& options, ConvertedRule& rule,
                            Conversion& conversion) {
  const Verification wanted = verification(options);
  const StunnelOption* sni = options.last("sni");
  const std::string server_name = sni != nullptr ? sni->value : "";
  if (!wanted.chain && !wanted.peer) {
    if (!server_name.empty()) rule.set("server_name", quoted(server_name));
    rule.set("verify", quoted("none"));
    conversion.note(options.service().line,
                    "[" + options.service().name +
                        "] verifies no server, so anybody can be it: import its "
                        "CA and remove verify = \"none\"");
    return;
  }
  const std::vector<std::string> certificates = trust(wanted, options, conversion);
  const std::vector<std::string> names = wanted.peer ? certificates : peer_names(options);
  // One name, sent as SNI too or nothing said of that: Gaiter's own way to verify.
  if (names.size() == 1 && !wanted.peer && !names[0].starts_with("email:")) {
    const std::string name = names[0].substr(names[0].find(':') + 1);
    if (server_name.empty() || server_name == name) {
      rule.set("server_name", quoted(name));
      rule.set("verify", quoted("full"));
      convert_revocation(options, rule, conversion);
      return;
    }
  }
  if (!server_name.empty()) rule.set("server_name", quoted(server_name));
  rule.set("verify", quoted("chain"));
  if (!names.empty()) {
    rule.set("allow", array_of(names));
  } else {
    rule.comment(
        "As with stunnel, any certificate of a trusted CA will do; verify = \"full\" "
        "asks for the");
    rule.comment("server's name too.");
  }
  convert_revocation(options, rule, conversion);
}

}  // namespace gaiter::cli
