// A policy: rules that say which TCP connections are protected, and how.
//
// Files -> rules -> a decision for one connection. Nothing here knows TLS or
// sockets; a decision is a value that the caller acts on. A Policy is immutable
// once loaded and may be used by any number of threads.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/rule.h"
#include "policy/settings.h"

namespace gaiter::policy {

enum class Unmatched : uint8_t { pass, block };
std::string_view to_string(Unmatched);

// What happens to programs that a program starts and that Gaiter cannot be preloaded into.
enum class Children : uint8_t { no_tcp, refuse, pass };
std::string_view to_string(Children);

// One setting as it applies to a rule, for a person to read.
struct EffectiveSetting {
  std::string_view key;  // "handshake_timeout"
  std::string value;     // as a policy would write it: "\"required\"", "10"
  std::string origin;    // "FILE:LINE", or "default"
};

// Where and why a policy was refused; text() is what a person is shown:
// "/etc/gaiter/policy.d/6379.conf:2: tls = "requierd": unknown value; did you mean "required"?"
struct Error {
  std::string file;
  int line = 0;  // 0 = the file as a whole
  std::string message;
  std::string text() const;
};

// The machine's policy. Unlike any other directory it may hold no policy at all.
inline constexpr std::string_view default_directory = "/etc/gaiter";

// Where a policy comes from. `text` lies over `path`: its rules come first, and
// what it sets for all rules (defaults, unmatched, keyring) wins.
struct Source {
  std::string path;  // a file or a directory, as policy/GRAMMAR.md says; "" = none
  std::string text;  // gaiter.conf syntax; "" = none
  // From GAITER_POLICY (path) and GAITER_POLICY_TEXT (text); an empty value is as
  // none. With neither, /etc/gaiter if it exists. In secure-execution mode
  // (AT_SECURE, see getauxval(3)) the environment is ignored.
  static Source from_environment();
  // The same for values that were taken from the environment before; nullptr is none.
  static Source from_values(const char* path, const char* text);
};

class Matcher;  // policy/matcher.h

class Policy {
 public:
  // Reads everything or fails with the first error (all or nothing). A source
  // with neither path nor text is an empty policy. Files and their directories
  // must belong to root or the effective user and be writable by nobody else.
  // Allocates, and opens files; not to be called from a signal handler.
  static std::expected<Policy, Error> load(const Source& source);

  // Every error that can be found, not only the first, for `gaiter check`.
  static std::vector<Error> check(const Source& source);

  // The first rule that matches, or nullptr. Costs well under a microsecond
  // whatever the number of rules; async-signal-safe.
  const Rule* match(const Subject& subject) const;

  // Leaves rules for other programs out of what match() tries: from now on it is
  // right for this executable alone. Rules of ten thousand programs cost no more
  // than this one's then. Not thread-safe; allocates.
  void narrow_to(std::string_view program);

  // What happens to a TCP connection without a rule.
  Unmatched unmatched() const { return unmatched_; }
  // Whether somebody wrote it, and so wants to hear nothing of such connections.
  bool unmatched_is_said() const { return unmatched_is_said_; }

  // What happens to programs that Gaiter cannot be in, but for those that
  // trusted_children() names: patterns as a rule's `program` (policy/glob.h).
  Children children() const { return children_; }
  const std::vector<std::string>& trusted_children() const { return trusted_children_; }
  // Whether one of these names the program with that absolute path. Async-signal-safe.
  bool trusts_child(std::string_view path) const;

  // The keyring's directory as the policy names it; "" = keyring::default_path().
  // A "%u" in it stands for the name of the process's effective user.
  const std::string& keyring() const { return keyring_; }

  // In the order in which they are tried: by priority, then as they were read.
  const std::vector<Rule>& rules() const { return rules_; }

  // What was read, in order: paths, or "GAITER_POLICY_TEXT".
  const std::vector<std::string>& files() const { return files_; }

  // The settings that have a meaning in the rule's direction, and where each came from.
  std::vector<EffectiveSetting> effective(const Rule& rule) const;

 private:
  friend class Loader;
  std::vector<Rule> rules_;
  std::vector<std::string> files_;
  std::shared_ptr<const Matcher> matcher_;  // of rules_; null = no rules
  std::string keyring_;
  std::vector<std::string> trusted_children_;
  Unmatched unmatched_ = Unmatched::pass;
  bool unmatched_is_said_ = false;
  Children children_ = Children::no_tcp;
};

}  // namespace gaiter::policy
