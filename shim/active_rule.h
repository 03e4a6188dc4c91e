// A rule in use, and the TLS context that its connections share.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "engine/context.h"
#include "policy/policy.h"

namespace gaiter::shim {

// Belongs to a snapshot of the policy (snapshot.h) and lives as long. Thread-safe.
class ActiveRule {
 public:
  ActiveRule(const policy::Rule& rule, std::string keyring);

  // By which members of the fork family name it to each other: never 0, and the same only in
  // those who have it from the same reading of the policy.
  uint64_t number() const { return number_; }

  const policy::Rule& rule() const { return rule_; }
  const policy::Settings& settings() const { return rule_.settings; }
  // Who opened TCP, and who is which in TLS: the policy may cross the two.
  bool inbound() const { return rule_.direction == policy::Direction::inbound; }
  bool is_tls_server() const { return rule_.is_tls_server(); }

  // What the rule says now, `until` considered (policy::tls_at, policy::mode_at).
  policy::Tls tls() const;
  policy::Mode mode() const;

  // Whether it may ever need a context.
  bool may_protect() const { return policy::may_protect(settings()); }
  // The TLS context, made at the first call that succeeds: keyring read, keys
  // checked. Slow then (see Context::make), cheap afterwards.
  std::expected<std::shared_ptr<const engine::Context>, engine::Failure> context();
  bool has_context() const { return ready_.load(std::memory_order_acquire); }

  // Whether a context of `before` would serve this rule, were the keyring unchanged.
  bool needs_same_context_as(const ActiveRule& before) const;
  // Shares it. Before anybody else can see this rule.
  void adopt_context(const ActiveRule& before);

  // A newer policy has another rule in this one's place, and this one says that its
  // connections are to end for that.
  void drain() { draining_.store(true, std::memory_order_relaxed); }
  bool is_draining() const { return draining_.load(std::memory_order_relaxed); }

 private:
  // The time now; tells the log once that `until` has come.
  std::chrono::system_clock::time_point now() const;

  const policy::Rule& rule_;
  const std::string keyring_;
  const uint64_t number_;
  std::shared_ptr<const engine::Context> context_;  // not changed once ready_
  std::atomic<bool> ready_ = false;
  std::atomic<bool> draining_ = false;
  mutable std::atomic<bool> told_that_over_ = false;
};

// Around fork(2): no context is being made, so that the child can make its own.
void contexts_before_fork();
void contexts_after_fork_in_parent();
void contexts_after_fork_in_child();

}  // namespace gaiter::shim
