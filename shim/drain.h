// Ending the connections of rules that have changed (on_change = "drain"), each at a
// quiet moment.
#pragma once

namespace gaiter::shim {

// From now on some rule of an older snapshot is draining.
void begin_to_drain();

// Ends those connections of this process that are quiet and whose rule is draining.
// Costs next to nothing if there is no such rule. Not for the data path.
void drain_quiet_connections();

}  // namespace gaiter::shim
