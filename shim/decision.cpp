#include "shim/decision.h"

#include <pthread.h>

#include <atomic>
#include <vector>

#include "keyring/keyring.h"
#include "shim/context_settings.h"
#include "shim/core.h"
#include "shim/exec_environment.h"
#include "shim/log.h"
#include "shim/process.h"

namespace gaiter::shim {

namespace {

// The policy of this process, and its rules with their contexts.
struct LoadedPolicy {
  policy::Policy policy;
  std::vector<std::unique_ptr<ActiveRule>> rules;
  const char* why_blocked = nullptr;  // if not null, everything is
  bool concerned[2] = {true, true};
};

constinit std::atomic<LoadedPolicy*> loaded = nullptr;
constinit pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

class Hold {
 public:
  explicit Hold(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  ~Hold() { pthread_mutex_unlock(&mutex_); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

LoadedPolicy* blocked(const char* why) {
  auto* const fresh = new LoadedPolicy;
  fresh->why_blocked = why;
  return fresh;
}

LoadedPolicy* load() {
  // Not the environment of now: exim and Dovecot have cleaned theirs by then.
  const policy::Source source =
      policy::Source::from_values(exec_environment::value_at_start("GAITER_POLICY"),
                                  exec_environment::value_at_start("GAITER_POLICY_TEXT"));
  auto read = policy::Policy::load(source);
  if (!read) {
    log::line(log::Level::error,
              "policy refused, so every TCP connection of this process is: {}; mend it (gaiter "
              "check) and restart the program",
              read.error().text());
    return blocked("the policy could not be loaded");
  }
  auto fresh = std::make_unique<LoadedPolicy>();
  fresh->policy = std::move(*read);
  if (source.path.empty() && source.text.empty())
    log::line(log::Level::warning,
              "no policy: nothing is protected; name one in GAITER_POLICY or /etc/gaiter");
  const std::string keyring =
      fresh->policy.keyring().empty() ? keyring::default_path() : fresh->policy.keyring();
  const bool strict = fresh->policy.unmatched() == policy::Unmatched::block;
  fresh->concerned[0] = fresh->concerned[1] = strict;
  for (const policy::Rule& rule : fresh->policy.rules()) {
    fresh->rules.push_back(std::make_unique<ActiveRule>(rule, keyring));
    fresh->concerned[static_cast<size_t>(rule.direction)] = true;
  }
  return fresh.release();
}

LoadedPolicy& current() {
  LoadedPolicy* present = loaded.load(std::memory_order_acquire);
  if (present != nullptr) [[likely]]
    return *present;
  // The dynamic loader may not be called between vfork and exec.
  if (process::memory_is_borrowed()) {
    static LoadedPolicy* const in_vfork_child = blocked("a vfork child has no policy yet");
    return *in_vfork_child;
  }
  // Not under our lock: a library's constructor may wait for that, within dlopen.
  const bool core_is_there = core::load();
  Hold hold(loading);
  present = loaded.load(std::memory_order_relaxed);
  if (present == nullptr) {
    present = core_is_there ? load() : blocked("libgaiter-core.so could not be loaded");
    loaded.store(present, std::memory_order_release);
  }
  return *present;
}

}  // namespace

ActiveRule::ActiveRule(const policy::Rule& rule, std::string keyring_path)
    : rule_(rule), keyring_path_(std::move(keyring_path)) {}

std::expected<std::shared_ptr<const engine::Context>, engine::Failure> ActiveRule::context() {
  Hold hold(loading);
  if (context_ != nullptr) return context_;
  auto wanted = context_settings(rule_, keyring_path_);
  if (!wanted) return std::unexpected(std::move(wanted.error()));
  auto made = engine::Context::make(std::move(*wanted));
  if (made) context_ = *made;
  return made;
}

Decision decide(policy::Direction direction, const sockaddr* local, const sockaddr* remote) {
  LoadedPolicy& here = current();
  if (here.why_blocked != nullptr) return {Verdict::block, nullptr, here.why_blocked};
  const policy::Rule* const rule = here.policy.match({direction, local, remote});
  if (rule == nullptr) {
    if (here.policy.unmatched() == policy::Unmatched::block)
      return {Verdict::block, nullptr, "no rule matches, and unmatched = \"block\""};
    return {Verdict::pass, nullptr};
  }
  ActiveRule* const active =
      here.rules[static_cast<size_t>(rule - here.policy.rules().data())].get();
  switch (rule->settings.tls) {
    case policy::Tls::off:
      return {Verdict::pass, active};
    case policy::Tls::block:
      return {Verdict::block, active, "the rule says block"};
    case policy::Tls::required:
    case policy::Tls::optional:
      break;
  }
  return {Verdict::protect, active};
}

bool concerned(policy::Direction direction) {
  return current().concerned[static_cast<size_t>(direction)];
}

void decisions_before_fork() { pthread_mutex_lock(&loading); }
void decisions_after_fork() { pthread_mutex_unlock(&loading); }

}  // namespace gaiter::shim
