// Where relays (relay.h) come from once the program may not fork: Dovecot's login
// processes set RLIMIT_NPROC to 1 before they pass their connections on.
//
// A nursery is a process of the fork family, forked before that limit holds, which
// forks relays on request. Like a relay it is nobody's child, execs nothing, has the
// program's rights of that moment (if that was root, those of its next user, from the first
// request on), and ends with the program. The program keeps no
// descriptor for it: it asks on a local socket of an abstract name, and believes the
// answer if the kernel names the one that was forked (SO_PEERCRED, unix(7)).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

namespace gaiter::shim::relay_nursery {

// Before setrlimit(2) sets `limit` for RLIMIT_NPROC. Does nothing where the program may
// go on forking or has no rules. Root may in spite of the limit, but not whom it becomes.
void prepare(const rlimit& limit);

// Before root becomes `user` for good.
void prepare_for(uid_t user);

// Whether there is one for this process.
bool exists();

// Has a relay run for the connection behind `fd`, with `end` for its side of the pair
// (run_relay). False with errno if there is no nursery, or it cannot: the connection
// must be open, and the policy the one that the nursery knows.
bool fork_relay(int fd, int end);

}  // namespace gaiter::shim::relay_nursery
