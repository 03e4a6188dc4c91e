// Known answers, before a back end may touch a connection.
#pragma once

#include "engine/aead_back_end.h"

namespace gaiter::engine {

// Whether `back_end` seals and opens the published vectors and a long record
// right, whole and scattered, and refuses a wrong tag. Takes a few microseconds,
// writes nothing outside its stack.
bool self_test(const AeadBackEnd& back_end, Cipher cipher);

}  // namespace gaiter::engine
