// Where look-ups have put the addresses that they found (ai_addr), until freeaddrinfo(3):
// a connect with the very same memory means the name that was looked up.
//
// What finds no room is not known, which costs the evidence and nothing else. No locks, no
// allocation: every function may be called in any thread and signal handler. Private to the
// process; a fork child has a copy.
#pragma once

#include "shim/name_record.h"

namespace gaiter::shim::address_memory {

void remember(const void* memory, EntryOffset entry);

// 0 if nothing was put there.
EntryOffset find(const void* memory);

// It was freed, or holds something else.
void forget(const void* memory);

}  // namespace gaiter::shim::address_memory
