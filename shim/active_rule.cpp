#include "shim/active_rule.h"

#include <new>

#include "shim/context_settings.h"
#include "shim/family.h"
#include "shim/lock.h"
#include "shim/log.h"

namespace gaiter::shim {

namespace {

constinit Lock making;
constinit LockResult frozen = LockResult::reentered;
constinit std::atomic<uint32_t> made = 0;

uint64_t next_number() { return uint64_t{family::self()} << 32 | made.fetch_add(1); }

}  // namespace

ActiveRule::ActiveRule(const policy::Rule& rule, std::string keyring)
    : rule_(rule), keyring_(std::move(keyring)), number_(next_number()) {}

std::chrono::system_clock::time_point ActiveRule::now() const {
  if (!settings().until) return {};  // the time does not matter
  const auto now = std::chrono::system_clock::now();
  if (now >= *settings().until && !told_that_over_.exchange(true)) {
    log::line(log::Level::warning,
              "rule={} its exception has ended (until): the rule is enforced from now on",
              rule_.name);
  }
  return now;
}

policy::Tls ActiveRule::tls() const { return policy::tls_at(settings(), now()); }

policy::Mode ActiveRule::mode() const { return policy::mode_at(settings(), now()); }

std::expected<std::shared_ptr<const engine::Context>, engine::Failure> ActiveRule::context() {
  if (has_context()) [[likely]]
    return context_;
  const LockGuard guard(making, true);
  if (!guard.held()) {
    return std::unexpected(engine::Failure{
        engine::Cause::local, "a signal handler interrupted the reading of this rule's keys", ""});
  }
  if (has_context()) return context_;
  auto wanted = context_settings(rule_, keyring_);
  if (!wanted) return std::unexpected(std::move(wanted.error()));
  auto made = engine::Context::make(std::move(*wanted));
  if (made) {
    context_ = *made;
    ready_.store(true, std::memory_order_release);
  }
  return made;
}

bool ActiveRule::needs_same_context_as(const ActiveRule& before) const {
  // What the engine is not told of.
  policy::Settings then = before.settings();
  const policy::Settings& now = settings();
  then.tls = now.tls;
  then.mode = now.mode;
  then.until = now.until;
  then.server_name = now.server_name;
  then.interchangeable = now.interchangeable;
  then.handshake_timeout = now.handshake_timeout;
  then.close_timeout = now.close_timeout;
  then.truncation = now.truncation;
  then.on_change = now.on_change;
  return rule_.direction == before.rule_.direction && keyring_ == before.keyring_ && now == then;
}

void ActiveRule::adopt_context(const ActiveRule& before) {
  if (!before.has_context()) return;
  context_ = before.context_;
  ready_.store(true, std::memory_order_release);
}

void contexts_before_fork() { frozen = making.acquire(true); }
void contexts_after_fork_in_parent() { making.release(frozen); }
void contexts_after_fork_in_child() { new (&making) Lock; }

}  // namespace gaiter::shim
