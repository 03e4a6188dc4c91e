// A policy: rules that say which TCP connections are protected, and how.
//
// Files -> rules -> a decision for one connection. Nothing here knows TLS or
// sockets; a decision is a value that the caller acts on. A Policy is immutable
// once loaded and may be used by any number of threads.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace gaiter::policy {

enum class Direction : uint8_t { inbound, outbound };
enum class Tls : uint8_t { required, off, block };
enum class ClientAuth : uint8_t { none, optional, required };
enum class Verify : uint8_t { full, chain, none };
enum class MinVersion : uint8_t { tls12, tls13 };
enum class Truncation : uint8_t { error, eof };
enum class Unmatched : uint8_t { pass, block };

// What a rule does with the connections that it matches.
struct Settings {
  Tls tls = Tls::required;
  std::string certificate;  // a label of the keyring; "" = inbound: its default, outbound: none
  ClientAuth client_auth = ClientAuth::none;  // inbound
  Verify verify = Verify::full;               // outbound
  std::string server_name;                    // outbound; "" = the name the program looked up
  MinVersion min_version = MinVersion::tls12;
  std::chrono::milliseconds handshake_timeout{10'000};
  Truncation truncation = Truncation::error;
};

struct PortRange {
  uint16_t first;
  uint16_t last;
};

struct Rule {
  std::string name;  // as log lines show it: "6379.conf:inbound"
  std::string file;  // where it was written
  int line = 0;
  Direction direction = Direction::inbound;
  std::vector<PortRange> local_ports;   // empty = any
  std::vector<PortRange> remote_ports;  // empty = any
  Settings settings;
};

// Where and why a policy was refused; text() is what a person is shown:
// "/etc/gaiter/policy.d/6379.conf:2: tls = "requierd": unknown value; did you mean "required"?"
struct Error {
  std::string file;
  int line = 0;  // 0 = the file as a whole
  std::string message;
  std::string text() const;
};

// Where a policy comes from. The rules of `text` come before those of `path`.
struct Source {
  std::string path;  // a file or a directory; "" = none
  std::string text;  // gaiter.conf syntax; "" = none
  // From GAITER_POLICY (path) and GAITER_POLICY_TEXT (text), else /etc/gaiter if
  // it exists. In secure-execution mode (AT_SECURE) only /etc/gaiter.
  static Source from_environment();
};

class Policy {
 public:
  // Reads everything or fails with the first error (all or nothing). A source
  // with neither path nor text is an empty policy.
  static std::expected<Policy, Error> load(const Source& source);

  // Every error that can be found, not only the first, for `gaiter check`.
  static std::vector<Error> check(const Source& source);

  // The first rule that matches, or nullptr. Addresses are AF_INET or AF_INET6;
  // `remote` may be nullptr for "some remote", as at listen(2): then a rule
  // matches if it could match any remote.
  const Rule* match(Direction direction, const sockaddr* local, const sockaddr* remote) const;

  // What happens to a TCP connection without a rule.
  Unmatched unmatched() const { return unmatched_; }

  // The keyring's directory as the policy names it; "" = keyring::default_path().
  const std::string& keyring() const { return keyring_; }

  const std::vector<Rule>& rules() const { return rules_; }

 private:
  friend class Loader;
  std::vector<Rule> rules_;
  std::string keyring_;
  Unmatched unmatched_ = Unmatched::pass;
};

}  // namespace gaiter::policy
