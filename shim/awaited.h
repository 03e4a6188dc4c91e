// `gaiter run --listen PORT` was said, and the program never listens there: what it serves
// elsewhere is in clear, or it serves nothing. The command tells which ports it meant, and
// which process it became, in GAITER_LISTEN = "PID:PORT[-PORT][,...]".
//
// Said once, as a warning, by a process that has listened elsewhere for ten seconds, when it
// accepts or ends; or by the first process when it ends without having listened and without
// having had children. Not if somebody listens at one of the ports after all.
#pragma once

#include <cstdint>

namespace gaiter::shim::awaited {

// Reads GAITER_LISTEN. Once, at start.
void start();

// After listen(2).
void listening(uint16_t port);

// After accept(2): whether it is time to say it. Two loads where nothing is awaited.
void accepted();

// Before the process ends.
void end();

}  // namespace gaiter::shim::awaited
