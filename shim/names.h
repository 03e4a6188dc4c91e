// Which name the program looked up for an address, so that an outbound
// connection knows whose certificate to expect.
#pragma once

#include <sys/socket.h>

#include <string>

namespace gaiter::shim::names {

// Remembers that `name` gave `address`. Literal addresses ("127.0.0.1") are
// remembered too: looking one up after a name means to connect to the address.
void remember(const char* name, const sockaddr* address);

// The name that this thread looked up last for `address`, else that any thread
// did last; the address in text if no name led to it.
std::string name_for(const sockaddr* address);

// The name to expect at `address`, as a rule puts it: "%h" in it stands for name_for(),
// and "" is that alone.
std::string expected_at(std::string pattern, const sockaddr* address);

void after_fork_in_child();

}  // namespace gaiter::shim::names
