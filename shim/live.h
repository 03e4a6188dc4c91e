// The policy in use: read when first needed, and again when it has changed.
//
// At most once a second somebody who needs a decision, or is about to sleep where
// connections may have to be drained (drain.h), looks at the files (watch.h); nobody
// else pays for it, and no thread of Gaiter's runs. A changed policy, or
// changed keys under the same policy, becomes a new snapshot if it is right as a
// whole; else the log says so once and the one in use stays. So it does if the
// files vanish, and behind chroot(2). Existing connections keep their rule, and a
// snapshot stays as long as one of them does. Every process of a fork family
// follows its files by itself.
#pragma once

#include "shim/snapshot.h"

namespace gaiter::shim::live {

// Keeps every snapshot and its rules from ending: for as long as a rule is used
// that no connection refers to yet.
class Use {
 public:
  Use();
  Use(Use&& other) noexcept;
  Use& operator=(Use&& other) noexcept;
  ~Use();

 private:
  bool counts_ = true;
};

// The snapshot in use. The first call reads the policy.
Snapshot& current();

// The rule with that number (ActiveRule::number), if this process has it.
ActiveRule* rule_numbered(uint64_t number);

// Whether anybody has asked for it yet.
bool is_in_use();

// Whether there is one: somebody named it, or /etc/gaiter has one. After current().
bool is_named();

// Looks whether the files have changed, if that is due, and follows. Not for the
// data path; may read files and allocate. Call without a Use.
void follow();

// Differs once the policy was read anew: rules have come that a process which was
// forked before does not know.
uint32_t generation();

// Around fork(2). A parent that may still read keys does so for its children, so
// before_fork() follows.
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

}  // namespace gaiter::shim::live
