// Where a process works on what a connection received: private memory.
//
// What lies in shared memory can change while it is looked at. So the state of Reading and
// what is left in the inbox are taken from there, checked, and put back when the lock is given
// back; with a connection that no fork has shared, what is left stays on the desk.
#pragma once

#include "engine/records.h"
#include "shim/arena.h"

namespace gaiter::shim {

// At the start of a Block::batch; the inbox's bytes follow.
struct ReadDesk {
  engine::ReadState state;
  engine::Inbox inbox;
};
static_assert(sizeof(ReadDesk) <= arena::batch_head);

}  // namespace gaiter::shim
