// The certificates of a service of stunnel's: its own, and those of its peers.
#include <algorithm>
#include <filesystem>
#include <system_error>

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

// What the keyring has to hold for a service, and whom of these the rule is to trust.
struct Trusted {
  std::vector<std::string> labels;   // quoted
  std::vector<std::string> allowed;  // with `peer`: the certificates themselves, as patterns
  std::string undecided;             // what a person has to decide first; "" = nothing
};

// The files of CApath, in order; empty if it cannot be read.
std::vector<std::string> files_of(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& one : std::filesystem::directory_iterator(directory, error))
    if (one.path().extension() == ".pem") files.push_back(one.path());
  std::ranges::sort(files);
  return files;
}

Trusted trust(const Verification& wanted, const StunnelOptions& options, Conversion& conversion) {
  Trusted trusted;
  const auto add = [&](const std::string& file, const StunnelOption& option) {
    const std::string label = conversion.trust_label(file, wanted.peer ? "site" : "ca", stem(file));
    trusted.labels.push_back(in_quotes(label));
    if (!wanted.peer) return;
    const auto fingerprints = fingerprints_of_file(file);
    if (!fingerprints) {
      conversion.note(option.line, option.written + ": " + fingerprints.error());
      trusted.undecided = "name the peers: allow = [ \"fingerprint:SHA256\" ], of " + file;
      return;
    }
    for (const std::string& one : *fingerprints) trusted.allowed.push_back("fingerprint:" + one);
    if (fingerprints->size() > 1)
      conversion.note(option.line, option.written +
                                       ": holds several certificates: import each as a site of "
                                       "its own, and name them all in trust");
  };
  for (const StunnelOption* file : options.values("cafile")) add(file->value, *file);
  if (const StunnelOption* path = options.last("capath")) {
    const std::vector<std::string> files = files_of(path->value);
    for (const std::string& file : files) add(file, *path);
    if (files.empty()) {
      conversion.note(path->line, path->written + ": no *.pem in it can be read here");
      trusted.undecided = "import what is in " + path->value + ", and name it in trust";
    }
  }
  if (trusted.labels.empty() && trusted.undecided.empty())
    trusted.undecided = "say whom to trust: it verifies, but names neither CAfile nor CApath";
  return trusted;
}

// What cannot be carried over as it is must not become less.
void block(ConvertedRule& rule, const std::string& what_to_decide) {
  rule.set("tls", in_quotes("block"));
  rule.comment("BLOCKED until you decide, and take tls = \"block\" out:");
  rule.comment(what_to_decide);
}

void set_trust(const Trusted& trusted, ConvertedRule& rule) {
  if (!trusted.undecided.empty()) block(rule, trusted.undecided);
  if (!trusted.labels.empty()) rule.set("trust", one_or_list(trusted.labels));
}

void convert_revocation(const StunnelOptions& options, ConvertedRule& rule,
                        Conversion& conversion) {
  const StunnelOption* file = options.last("crlfile");
  const StunnelOption* path = options.last("crlpath");
  if (file == nullptr && path == nullptr) return;
  rule.set("revocation", in_quotes("hard"));
  const std::string files =
      file != nullptr ? shell_word(file->value) : shell_word(path->value) + "/*.pem";
  conversion.note((file != nullptr ? file : path)->line,
                  "CRLs belong to the keyring's entry of their CA: gaiter keyring crl LABEL "
                  "--import " +
                      files);
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
  const Trusted trusted = trust(wanted, options, conversion);
  const std::vector<std::string> allowed = wanted.peer ? trusted.allowed : peer_names(options);
  rule.set("client_auth", in_quotes(wanted.required ? "required" : "optional"));
  set_trust(trusted, rule);
  if (!allowed.empty())
    rule.set("allow", array_of(allowed));
  else if (wanted.required && trusted.undecided.empty())
    rule.set("allow", in_quotes("any-trusted"));
  convert_revocation(options, rule, conversion);
}

void convert_stunnel_verify(const StunnelOptions& options, ConvertedRule& rule,
                            Conversion& conversion) {
  const Verification wanted = verification(options);
  const StunnelOption* sni = options.last("sni");
  const std::string server_name = sni != nullptr ? sni->value : "";
  if (!wanted.chain && !wanted.peer) {
    if (!server_name.empty()) rule.set("server_name", in_quotes(server_name));
    rule.set("verify", in_quotes("none"));
    conversion.note(options.service().line,
                    "[" + options.service().name +
                        "] verifies no server, so anybody can be it: import its "
                        "CA and remove verify = \"none\"");
    return;
  }
  const Trusted trusted = trust(wanted, options, conversion);
  const std::vector<std::string> names = wanted.peer ? trusted.allowed : peer_names(options);
  set_trust(trusted, rule);
  // One name, sent as SNI too or nothing said of that: Gaiter's own way to verify.
  if (names.size() == 1 && !wanted.peer && !names[0].starts_with("email:")) {
    const std::string name = names[0].substr(names[0].find(':') + 1);
    if (server_name.empty() || server_name == name) {
      rule.set("server_name", in_quotes(name));
      rule.set("verify", in_quotes("full"));
      convert_revocation(options, rule, conversion);
      return;
    }
  }
  if (!server_name.empty()) rule.set("server_name", in_quotes(server_name));
  rule.set("verify", in_quotes("chain"));
  if (!names.empty()) {
    rule.set("allow", array_of(names));
  } else if (trusted.undecided.empty()) {
    rule.comment(
        "As with stunnel, any certificate of a trusted CA will do; verify = \"full\" "
        "asks for the");
    rule.comment("server's name too.");
  }
  convert_revocation(options, rule, conversion);
}

}  // namespace gaiter::cli
