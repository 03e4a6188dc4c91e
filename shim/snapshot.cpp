#include "shim/snapshot.h"

#include <unistd.h>

#include <map>
#include <utility>
#include <vector>

#include "keyring/keyring.h"
#include "policy/match.h"
#include "shim/drain.h"
#include "shim/listeners.h"

namespace gaiter::shim {

namespace {

// By which rules with the same conditions are found among many.
std::string ports_of(const policy::Rule& rule) {
  return std::string(policy::to_string(rule.direction)) + ' ' +
         policy::to_string(rule.local_ports) + ' ' + policy::to_string(rule.remote_ports);
}

// A rule that is sure to be needed can do its work.
std::expected<void, std::string> make_ready(ActiveRule& rule) {
  if (!rule.may_protect() || rule.mode() == policy::Mode::monitor) return {};
  if (const auto made = rule.context(); !made)
    return std::unexpected("rule " + rule.rule().name + ": " + made.error().reason);
  return {};
}

}  // namespace

std::unique_ptr<Snapshot> Snapshot::blocked(const char* why) {
  std::unique_ptr<Snapshot> fresh(new Snapshot);
  fresh->why_blocked_ = why;
  return fresh;
}

std::expected<std::unique_ptr<Snapshot>, std::string> Snapshot::load(
    const policy::Source& source, const std::string& default_keyring) {
  auto read = policy::Policy::load(source);
  if (!read) return std::unexpected(read.error().text());
  std::unique_ptr<Snapshot> fresh(new Snapshot);
  fresh->policy_ = std::move(*read);
  const policy::Policy& policy = fresh->policy_;
  fresh->keyring_ = default_keyring;
  if (!policy.keyring().empty()) {
    auto expanded = keyring::expand_path(policy.keyring());
    if (!expanded) return std::unexpected(expanded.error().message);
    fresh->keyring_ = std::move(*expanded);
    fresh->is_per_user_ = policy.keyring().find('%') != std::string::npos;
    fresh->user_ = geteuid();
  }
  fresh->concerned_[0] = fresh->concerned_[1] = policy.unmatched() == policy::Unmatched::block;
  for (const policy::Rule& rule : policy.rules()) {
    fresh->rules_.emplace_back(rule, fresh->keyring_);
    fresh->concerned_[static_cast<size_t>(rule.direction)] = true;
    fresh->questions_.add(rule);
    if (rule.settings.on_change == policy::OnChange::drain) expect_to_drain();
  }
  if (fresh->questions_.program) {
    const Self self(fresh->questions_);
    fresh->policy_.narrow_to(self.process().program);
  }
  return fresh;
}

bool Snapshot::is_of_another_user() const { return is_per_user_ && geteuid() != user_; }

ActiveRule* Snapshot::match(policy::Subject subject) {
  const policy::Rule* rule;
  if (questions_.any()) {
    const Self self(questions_);
    subject.process = &self.process();
    rule = policy_.match(subject);
  } else {
    rule = policy_.match(subject);
  }
  return rule == nullptr ? nullptr : &rules_[static_cast<size_t>(rule - policy_.rules().data())];
}

std::expected<void, std::string> Snapshot::succeed(Snapshot& before, bool keyring_changed) {
  std::multimap<std::string, ActiveRule*> by_ports;
  for (ActiveRule& rule : rules_) by_ports.emplace(ports_of(rule.rule()), &rule);
  std::vector<ActiveRule*> gone;
  for (ActiveRule& old : before.rules_) {
    ActiveRule* heir = nullptr;
    bool is_same = false;
    const auto [first, last] = by_ports.equal_range(ports_of(old.rule()));
    for (auto at = first; at != last && !is_same; ++at) {
      if (!policy::same_conditions(at->second->rule(), old.rule())) continue;
      is_same = at->second->settings() == old.settings();
      if (heir == nullptr || is_same) heir = at->second;
    }
    if (!is_same || keyring_changed) gone.push_back(&old);
    if (heir == nullptr || !old.has_context()) continue;
    if (!keyring_changed && heir->needs_same_context_as(old)) {
      heir->adopt_context(old);
    } else if (auto ready = make_ready(*heir); !ready) {
      return ready;
    }
  }
  // A port may become protected while its socket listens.
  std::expected<void, std::string> ready;
  listeners::for_each([&](const sockaddr* local) {
    if (ActiveRule* const rule = match({policy::Direction::inbound, local}); ready && rule)
      ready = make_ready(*rule);
  });
  if (!ready) return ready;
  for (ActiveRule* const old : gone) {
    if (old->settings().on_change != policy::OnChange::drain) continue;
    old->drain();
    begin_to_drain();
  }
  return {};
}

void Snapshot::prepare_inbound(const sockaddr* listener) {
  if (!questions_.user && !questions_.groups) return;
  constexpr int at_most = 64;
  const Self self(questions_);
  int prepared = 0;
  for (ActiveRule& active : rules_) {
    const policy::Rule& rule = active.rule();
    if (!active.inbound() || !active.may_protect() || (rule.users.empty() && rule.groups.empty()))
      continue;
    policy::Process process = self.process();
    if (!rule.users.empty()) process.uid = rule.users.front();
    if (!rule.groups.empty()) process.gid = rule.groups.front();
    const auto point = policy::Point::of({policy::Direction::inbound, listener, nullptr, &process});
    if (!point || policy::mismatch(rule, *point)) continue;
    static_cast<void>(active.context());
    if (++prepared == at_most) return;
  }
}

void Snapshot::prepare_outbound() {
  if (is_prepared_.exchange(true)) return;
  for (ActiveRule& rule : rules_) {
    if (!rule.inbound() && !rule.settings().certificates.empty() && rule.may_protect())
      static_cast<void>(rule.context());
  }
}

}  // namespace gaiter::shim
