// What a program image finds open when it starts.
#pragma once

namespace gaiter::shim {

// Once, at start: connected TCP sockets that a rule matches (from inetd, systemd or
// a shell that is not under Gaiter) are protected from here on, and the ends of relays
// (relay.h) answer again for the sockets that they stand for.
void adopt_inherited();

}  // namespace gaiter::shim
