#include "shim/decision.h"

#include <unistd.h>

#include "shim/log_sums.h"
#include "shim/process.h"

namespace gaiter::shim {

Decision decide(policy::Direction direction, const sockaddr* local, const sockaddr* remote) {
  live::follow();
  log::write_due_sums();
  Decision decision;
  Snapshot& here = live::current();
  const auto blocked = [&](const char* why) {
    decision.verdict = Verdict::block;
    decision.why = why;
    return std::move(decision);
  };
  if (here.why_blocked() != nullptr) return blocked(here.why_blocked());
  ActiveRule* const rule = here.match({direction, local, remote});
  decision.rule = rule;
  if (rule == nullptr) {
    if (here.policy().unmatched() == policy::Unmatched::block)
      return blocked("no rule matches, and unmatched = \"block\"");
    return decision;
  }
  const policy::Tls tls = rule->tls();
  if (tls == policy::Tls::off) return decision;
  const bool observed = rule->mode() == policy::Mode::monitor;
  if (observed) decision.clear = ClearText::observed;
  if (tls == policy::Tls::block)
    return observed ? std::move(decision) : blocked("the rule says block");
  if (observed && direction == policy::Direction::outbound) return decision;
  if (!observed && tls == policy::Tls::optional) decision.clear = ClearText::allowed;
  decision.verdict = Verdict::protect;
  return decision;
}

bool concerned(policy::Direction direction) {
  live::follow();
  return live::current().concerned(direction);
}

bool follows_policy() {
  live::follow();
  return live::current().why_blocked() != nullptr || live::is_named();
}

void prepare_identities(const sockaddr* listener) {
  if (geteuid() != 0 || !live::is_in_use() || process::memory_is_borrowed()) return;
  const live::Use use;
  live::current().prepare_outbound();
  if (listener != nullptr) live::current().prepare_inbound(listener);
}

}  // namespace gaiter::shim
