#include "cli/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <filesystem>
#include <utility>

#include "cli/certificate.h"
#include "cli/check_certificates.h"
#include "cli/library.h"
#include "cli/output.h"
#include "cli/policy_text.h"
#include "cli/preloadable.h"
#include "keyring/format.h"
#include "keyring/store.h"

namespace gaiter::cli {
namespace {

using policy::Policy;

template <class T>
using OrRefusal = std::expected<T, Refusal>;

std::unexpected<Refusal> refuse(std::string message) {
  return std::unexpected(Refusal{exit_refused, std::move(message)});
}

// The program runs elsewhere than we do once it has changed its directory.
std::string absolute(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.string();
}

// The policy of a program started here, and over it what the options say.
policy::Source source_of(const RunOptions& options) {
  policy::Source source = policy::Source::from_environment();
  const std::string text =
      policy_text({.listen = options.listen,
                   .connect = options.connect,
                   .client_auth = options.client_auth,
                   .allow = options.allow,
                   .client_certificate = options.client_certificate,
                   .keyring = options.keyring.empty() ? "" : absolute(options.keyring),
                   .strict = options.strict});
  // Options replace those of an outer `gaiter run`.
  if (!text.empty() || !options.policy.empty()) source.text = text;
  if (!options.policy.empty()) source.path = options.policy;
  if (!source.path.empty()) source.path = absolute(source.path);
  return source;
}

// So that the program's Gaiter, wherever and as whoever it runs by then, finds
// the policy and the keyring that were checked here.
void export_policy(const policy::Source& source, const Policy& policy) {
  const std::string keyring =
      policy.keyring().empty() ? keyring_setting(absolute(keyring_path(policy))) : "";
  setenv("GAITER_POLICY_TEXT", (source.text + keyring).c_str(), 1);
  if (source.path.empty())
    unsetenv("GAITER_POLICY");
  else
    setenv("GAITER_POLICY", source.path.c_str(), 1);
}

// With `required` somebody has to say who is meant: a CA vouches for more than one.
OrRefusal<void> check_choice(const RunOptions& options) {
  if (options.client_auth == "required" && options.allow.empty()) {
    return refuse(
        "--client-auth required does not say which clients: add --allow PATTERN (such as "
        "dns:*.apps.internal; repeatable), or --allow any-trusted for every client whose "
        "certificate a CA of the keyring has signed");
  }
  if (!options.allow.empty() && (options.client_auth.empty() || options.client_auth == "none"))
    return refuse("--allow is about certificates of clients: add --client-auth required");
  return {};
}

OrRefusal<Policy> load_policy(const policy::Source& source, bool strict) {
  auto policy = Policy::load(source);
  if (!policy) return refuse(policy.error().text());
  if (strict && policy->unmatched() != policy::Unmatched::block)
    return refuse("--strict is contradicted by the policy's unmatched = \"pass\"; remove that");
  if (policy->rules().empty() && policy->unmatched() == policy::Unmatched::pass) {
    return refuse(
        "no rule protects anything: say --listen PORT or --connect PORT, name a "
        "policy with --policy PATH, or block everything with --strict");
  }
  return std::move(*policy);
}

// The policy's keyring; on first use it is made, unless a rule asks for a label
// that a new keyring cannot have.
OrRefusal<keyring::FirstUse> open_keyring(const Policy& policy) {
  const std::string path = absolute(keyring_path(policy));
  const auto named = std::ranges::find_if(policy.rules(), needs_label);
  if (named != policy.rules().end() && access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return refuse(
        fmt::format("rule {} names the certificate \"{}\", but the keyring {} does not "
                    "exist; see `gaiter keyring create --help`",
                    named->name, named->settings.certificates.front(), path));
  }
  auto first_use = keyring::open_or_create(path);
  if (!first_use) return refuse(first_use.error().message);
  return std::move(*first_use);
}

// The file of the certificate in `keyring` that vouches for the entry `label`, or
// for the default: the CA's, or its own if it is self-signed. "" if there is none.
std::string ca_file(const keyring::Keyring& keyring, const std::string& label) {
  const auto identity = keyring.identity(label);
  const auto entries = keyring.entries();
  if (!identity || !entries) return "";
  X509* const top = identity->chain.empty() ? identity->leaf.get() : identity->chain.back().get();
  for (const keyring::Entry& entry : *entries) {
    if (X509_check_issued(entry.leaf.get(), top) == X509_V_OK)
      return fmt::format("{}/{}/{}", keyring.path(), entry.label, keyring::certificate_pem);
  }
  return "";
}

// What was made, how a client can reach what the program will serve, and whom a
// new keyring trusts.
void explain(const Policy& policy, const keyring::FirstUse& first_use) {
  const keyring::Keyring& keyring = first_use.keyring;
  if (first_use.made) {
    say(fmt::format("first use: made an internal CA and a certificate for this host in {}",
                    keyring.path()));
  }
  for (const policy::Rule& rule : policy.rules()) {
    if (!needs_keyring(rule)) continue;
    if (rule.direction == policy::Direction::inbound) {
      const std::string ca = ca_file(keyring, rule.settings.certificates.front());
      if (ca.empty()) continue;
      say(fmt::format(
          "clients of port {} must trust its CA: openssl s_client -connect localhost:{} -CAfile {}",
          policy::to_string(rule.local_ports),
          rule.local_ports.empty() ? "PORT" : std::to_string(rule.local_ports[0].first), ca));
    } else if (first_use.made) {
      say(
          fmt::format("servers at port {} are trusted if this CA signed them; "
                      "`gaiter keyring import --help` says how to trust another",
                      policy::to_string(rule.remote_ports)));
    }
  }
}

OrRefusal<void> prepare_certificates(const Policy& policy, const RunOptions& options) {
  if (std::ranges::none_of(policy.rules(), needs_keyring)) return {};
  const auto first_use = open_keyring(policy);
  if (!first_use) return std::unexpected(first_use.error());
  for (const Finding& finding : check_certificates(policy, first_use->keyring)) {
    const std::string text = finding.where_and_what.text();
    if (finding.severity == Finding::Severity::error) return refuse(text);
    say("warning: " + text);
  }
  const bool zero_configuration = first_use->made || !options.listen.empty();
  if (zero_configuration && !options.quiet) explain(policy, *first_use);
  return {};
}

// What the program is expected to listen on, for its Gaiter to say if it never does
// (shim/awaited.h). We become the program.
void export_listen(const std::vector<std::string>& ports) {
  if (ports.empty()) {
    unsetenv("GAITER_LISTEN");
  } else {
    setenv("GAITER_LISTEN", fmt::format("{}:{}", getpid(), fmt::join(ports, ",")).c_str(), 1);
  }
}

// The runtime of a sanitizer must be the first of all preloads, and calls the next.
bool is_sanitizer(std::string_view entry) {
  const std::string_view file = entry.substr(entry.rfind('/') + 1);
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"asan", "tsan", "lsan", "ubsan", "hwasan", "msan"},
      [&](std::string_view runtime) {
        return file.starts_with(fmt::format("lib{}.so", runtime)) ||
               file.starts_with(fmt::format("libclang_rt.{}", runtime));
      });
}

// Before all others, whose functions would else be called in place of Gaiter's; they keep their
// order behind it.
void export_preload(const std::string& library) {
  const char* const before = getenv("LD_PRELOAD");
  std::string first, later;
  // Entries are parted by spaces or colons; the loader loads one named twice once.
  std::string_view rest = before != nullptr ? before : "";
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find_first_of(": "));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    if (entry.empty()) continue;
    if (is_sanitizer(entry))
      first += fmt::format("{}:", entry);
    else
      later += fmt::format(":{}", entry);
  }
  setenv("LD_PRELOAD", (first + library + later).c_str(), 1);
}

// Everything up to the exec. Returns the path to execute.
OrRefusal<std::string> prepare(const RunOptions& options) {
  const auto program = find_preloadable(options.command[0]);
  if (!program) return std::unexpected(program.error());
  const auto library = find_library();
  if (!library) return library;
  if (auto chosen = check_choice(options); !chosen) return std::unexpected(chosen.error());
  const policy::Source source = source_of(options);
  const auto policy = load_policy(source, options.strict);
  if (!policy) return std::unexpected(policy.error());
  if (auto prepared = prepare_certificates(*policy, options); !prepared)
    return std::unexpected(prepared.error());
  export_policy(source, *policy);
  export_preload(*library);
  export_listen(options.listen);
  return program->path;
}

}  // namespace

int run(const RunOptions& options) {
  const auto path = prepare(options);
  if (!path) {
    say(path.error().message);
    return path.error().exit_code;
  }
  std::vector<char*> arguments;
  for (const std::string& argument : options.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));  // execvp does not write them
  arguments.push_back(nullptr);
  // The path has a slash; execvp runs a script without `#!` by the shell.
  const std::string file = path->find('/') == std::string::npos ? "./" + *path : *path;
  execvp(file.c_str(), arguments.data());
  const int error = errno;
  say(fmt::format("cannot start {}: {}", *path, std::strerror(error)));
  return error == ENOENT ? exit_no_program : exit_not_executable;
}

}  // namespace gaiter::cli
