// What goes in clear because no rule matches is said once for each port, at level notice:
// a rule for another port than the program's protects nothing. Silent without rules, and
// where the policy says `unmatched = "pass"` itself.
#pragma once

#include <sys/socket.h>

namespace gaiter::shim::in_clear {

// After listen(2) on `fd`, where no rule matches.
void listening(int fd);

// After connect(2) of `fd` to `remote`, where no rule matches: only if the policy has
// outbound rules at all, and of few ports a process.
void connecting(int fd, const sockaddr* remote);

}  // namespace gaiter::shim::in_clear
