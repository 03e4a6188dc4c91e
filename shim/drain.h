// Ending the connections of rules that have changed (on_change = "drain"), each at a
// quiet moment.
#pragma once

#include <cstdint>

namespace gaiter::shim {

// From now on some rule of an older snapshot is draining.
void begin_to_drain();

// Ends those connections of this process that are quiet and whose rule is draining.
// Costs next to nothing if there is no such rule. Not for the data path.
void drain_quiet_connections();

// From now on this process may have connections that a change of the policy ends.
void expect_to_drain();

// For a thread that is about to sleep until something happens to a connection, or
// until `until` (process::now(), INT64_MAX: for ever): a quiet moment. Follows the
// policy and drains if that is due, and writes sums of the log whose time has come; when to
// wake up, and call again. Two loads if there is neither. As live::follow() it may read files and
// allocate.
int64_t drain_before_sleep(int64_t until);

}  // namespace gaiter::shim
