// Which names the program looked up for an address, so that an outbound connection
// knows whose certificate to expect.
//
// What this process (or one that it was forked from) looked up is in memory of its own.
// A second record is shared with the fork family, for programs whose children look up;
// it only adds names, and whoever gives up his rights does not see it any more.
//
// Nothing here is ever forgotten but what memory an address lies in: a program may keep
// an address for as long as it runs.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

namespace gaiter::shim::names {

// Remembers that `name`, in ASCII or UTF-8, led to `address`, for the service of its port, or for any if that is
// 0. A number, as inet_aton(3) and inet_pton(3) read it, is no name. `memory` is where the
// program has the address (ai_addr); nullptr = it is not known. Never allocates.
void remember(const char* name, const sockaddr* address, const void* memory = nullptr);

// What lies at `memory` from now on says nothing of a name.
void forget_memory(const void* memory);

// Which names may be meant by `address`.
struct Candidates {
  // The best guess first: this thread's last look-up, then anybody's. Lower case, each once,
  // of those for the port of `address` and for any; of all, if there are none of these.
  std::vector<std::string> names;
  // Others may be meant as well, for which there was no room.
  bool others = false;
};

// `memory`: where the program has `address` (connect's argument); if that is where a look-up
// put it, the name is the one that was looked up. Otherwise order and thread are a guess.
Candidates candidates_for(const sockaddr* address, const void* memory = nullptr);

// "10.0.0.5"; without scope.
std::string in_text(const sockaddr* address);

// Before fork(2): the family's record is there for the child to share.
void before_fork();

// This process has given up rights that its family has: from now on its record is its own,
// and its children's.
void give_up();

// Bytes of address space that this takes.
size_t reserved();

}  // namespace gaiter::shim::names
