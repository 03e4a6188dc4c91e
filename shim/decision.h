// From a socket's addresses to what must happen to it: the policy, loaded when
// first needed, and one TLS context per rule.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/context.h"
#include "policy/policy.h"

namespace gaiter::shim {

// A rule in use. Lives as long as the process.
class ActiveRule {
 public:
  ActiveRule(const policy::Rule& rule, std::string keyring_path);

  const policy::Rule& rule() const { return rule_; }
  const policy::Settings& settings() const { return rule_.settings; }
  bool inbound() const { return rule_.direction == policy::Direction::inbound; }

  // The TLS context, made at the first call that succeeds: keyring read, keys
  // checked. Slow then (see Context::make), cheap afterwards.
  std::expected<std::shared_ptr<const engine::Context>, engine::Failure> context();

 private:
  const policy::Rule& rule_;
  const std::string keyring_path_;
  std::shared_ptr<const engine::Context> context_;
};

enum class Verdict : uint8_t { pass, block, protect };

struct Decision {
  Verdict verdict;
  ActiveRule* rule;      // of protect, and of block if a rule said so
  const char* why = "";  // of block, in words
};

// What must happen to a TCP connection. `remote` may be nullptr at listen(2).
Decision decide(policy::Direction direction, const sockaddr* local, const sockaddr* remote);

// False if decide() would say pass to anything: no rule of that direction and
// nothing that blocks. Loads the policy.
bool concerned(policy::Direction direction);
inline bool has_rules() {
  return concerned(policy::Direction::inbound) || concerned(policy::Direction::outbound);
}

// Around fork(2): the locks in here must be free in the child.
void decisions_before_fork();
void decisions_after_fork();

}  // namespace gaiter::shim
