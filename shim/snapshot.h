// A policy as it was read at one moment, and its rules in use. Does not change;
// a changed policy or keyring is another snapshot (live.h).
#pragma once

#include <atomic>
#include <deque>
#include <expected>
#include <memory>
#include <string>

#include "policy/policy.h"
#include "shim/active_rule.h"
#include "shim/self.h"

namespace gaiter::shim {

class Snapshot {
 public:
  // All or nothing; the error is for a person to read.
  // `default_keyring` is of a policy that names none.
  static std::expected<std::unique_ptr<Snapshot>, std::string> load(
      const policy::Source& source, const std::string& default_keyring);
  // Refuses everything. `why` is a static text.
  static std::unique_ptr<Snapshot> blocked(const char* why);

  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const char* why_blocked() const { return why_blocked_; }  // nullptr: it is not
  const policy::Policy& policy() const { return policy_; }
  // Absolute; of the effective user at load() if the policy says so (%u).
  const std::string& keyring() const { return keyring_; }
  bool is_of_another_user() const;
  const ProcessQuestions& questions() const { return questions_; }
  // Whether anything of that direction can need more than to pass.
  bool concerned(policy::Direction direction) const {
    return concerned_[static_cast<size_t>(direction)];
  }

  // nullptr: none matches.
  ActiveRule* match(policy::Subject subject);
  std::deque<ActiveRule>& rules() { return rules_; }

  // Takes the place of `before`: shares the contexts that are as they would be made
  // anew, and makes those that `before` had, and what this process listens for
  // needs. An error is in words, and then this snapshot is not to be used.
  std::expected<void, std::string> succeed(Snapshot& before, bool keyring_changed);

  // Reads the keys that connections accepted at `listener` will need should this process
  // become another user or group, while it is sure to be allowed to. What fails will
  // fail when it is needed; of very many rules the first ones are looked at.
  void prepare_inbound(const sockaddr* listener);

  // Reads the keys that connections of this process to others may need, while it is
  // sure to be allowed to. Once; what fails will fail when it is needed.
  void prepare_outbound();

 private:
  Snapshot() = default;

  policy::Policy policy_;
  std::deque<ActiveRule> rules_;  // as policy_.rules()
  std::string keyring_;
  bool is_per_user_ = false;
  uid_t user_ = 0;
  const char* why_blocked_ = nullptr;
  bool concerned_[2] = {true, true};
  ProcessQuestions questions_;
  std::atomic<bool> is_prepared_ = false;
};

}  // namespace gaiter::shim
