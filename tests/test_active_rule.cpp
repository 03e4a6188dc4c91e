// A rule in use says what its settings say at this time, and nothing else.
#include "shim/active_rule.h"

#include <optional>

extern "C" {
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
}

using namespace gaiter;
using namespace std::chrono;
using policy::Mode;
using policy::Tls;

namespace {

// Every combination of what a rule can say and of when its exception ends.
template <class Check>
void for_each_rule(Check check) {
  const sys_days today = floor<days>(system_clock::now());
  for (const Tls tls : {Tls::required, Tls::optional, Tls::off, Tls::block}) {
    for (const Mode mode : {Mode::enforce, Mode::monitor}) {
      for (const std::optional<sys_days> until :
           {std::optional<sys_days>(), std::optional(today - days(1)), std::optional(today),
            std::optional(today + days(2))}) {
        policy::Rule rule;
        rule.settings.tls = tls;
        rule.settings.mode = mode;
        rule.settings.until = until;
        check(rule);
      }
    }
  }
}

void a_rule_in_use_is_what_the_policy_says(void**) {
  for_each_rule([](const policy::Rule& rule) {
    const shim::ActiveRule active(rule, "");
    const auto now = system_clock::now();
    assert_true(active.tls() == policy::tls_at(rule.settings, now));
    assert_true(active.mode() == policy::mode_at(rule.settings, now));
    assert_true(active.may_protect() == policy::may_protect(rule.settings));
  });
}

void what_is_blocked_stays_blocked(void**) {
  for_each_rule([](const policy::Rule& rule) {
    const shim::ActiveRule active(rule, "");
    if (rule.settings.tls != Tls::block) return;
    assert_true(active.tls() == Tls::block);
    assert_false(active.may_protect());
  });
}

// What is protected at any time has the context that it needs then.
void what_is_ever_protected_may_be(void**) {
  for_each_rule([](const policy::Rule& rule) {
    for (const auto at : {system_clock::now(), system_clock::now() + days(1000)}) {
      const Tls tls = policy::tls_at(rule.settings, at);
      if (tls == Tls::required || tls == Tls::optional)
        assert_true(policy::may_protect(rule.settings));
    }
  });
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_rule_in_use_is_what_the_policy_says),
      cmocka_unit_test(what_is_blocked_stays_blocked),
      cmocka_unit_test(what_is_ever_protected_may_be),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
