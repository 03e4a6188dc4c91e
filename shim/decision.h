// From a socket's addresses to what must happen to it, by the policy in use.
#pragma once

#include <sys/socket.h>

#include "policy/policy.h"
#include "shim/active_rule.h"
#include "shim/live.h"

namespace gaiter::shim {

enum class Verdict : uint8_t { pass, block, protect };

// Whether a connection may go on in clear after all, if it turns out that the peer
// does not speak TLS.
enum class ClearText : uint8_t {
  never,
  allowed,   // tls = "optional"
  observed,  // mode = "monitor": and the log is told what enforcing would have done
};

struct Decision {
  Verdict verdict = Verdict::pass;
  ActiveRule* rule = nullptr;  // of protect; of pass and block, if a rule said so
  const char* why = "";        // of block, in words
  ClearText clear = ClearText::never;
  live::Use use{};  // of the rule, until a connection refers to it
};

// What must happen to a TCP connection. `remote` may be nullptr at listen(2).
// A connection that is only observed (mode = "monitor") is let pass, unless it
// came in: then it is to be protected if its peer speaks TLS.
Decision decide(policy::Direction direction, const sockaddr* local, const sockaddr* remote);

// False if decide() would say pass to anything: no rule of that direction and
// nothing that blocks. Loads the policy.
bool concerned(policy::Direction direction);
inline bool has_rules() {
  return concerned(policy::Direction::inbound) || concerned(policy::Direction::outbound);
}

// Whether there is a policy at all, though it may have no rules yet: it is followed as it
// changes. Loads it.
bool follows_policy();

// While this process may still read keys (listen(2), before chroot(2) or setuid(2)):
// reads those of connections to others too, if it is one that may give up its rights,
// and that has asked for a policy at all. With an address that it listens on, also those
// of connections that it will accept there as somebody else.
void prepare_identities(const sockaddr* listener = nullptr);

}  // namespace gaiter::shim
