// The one thing that libgaiter-core.so exports: where the functions are that the
// front calls, in the order of core_symbols.def. Its name tells the build.

        .section .data.rel.ro, "aw"
        .balign 8
#define CORE(symbol) .quad symbol
#define BUILD(table) .globl table; table:
#include "core_symbols.def"

        .section .note.GNU-stack, "", %progbits
