// Intel's ipsec-mb: x86-64 with AES-NI, best with VAES and AVX-512. Only in
// builds with GAITER_IPSEC_MB.
#pragma once

#include "engine/aead_back_end.h"

namespace gaiter::engine {

extern const AeadBackEnd ipsec_mb_back_end;

// The sets of instructions that there is code for, slowest first.
enum class InstructionSet { sse, avx2, vaes_avx512 };

// For tests: from now on the code for `set`, and no key expanded before. False,
// and no change, where the CPU or the kernel cannot run it. Not thread-safe.
bool use_instruction_set(InstructionSet set);

}  // namespace gaiter::engine
