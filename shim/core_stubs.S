// What stands in the front for the functions of the core (core.h): each jumps to
// where core::load() found its namesake. To call one before that is a mistake, and
// jumps to address 0.
//
// core_symbols.def is made at build time: see core_symbols.awk.

#if defined(__aarch64__)
        .arch   armv8.5-a
#endif
        .set    index, 0

.macro stub name
        .globl  \name
        .hidden \name
        .type   \name, %function
        .balign 16
\name:
        .cfi_startproc
#if defined(__x86_64__)
        endbr64
        jmp     *gaiter_core_slots + 8 * index(%rip)
#elif defined(__aarch64__)
        bti     c
        adrp    x16, gaiter_core_slots + 8 * index
        ldr     x16, [x16, #:lo12:gaiter_core_slots + 8 * index]
        br      x16
#else
#error "Gaiter knows x86-64 and aarch64"
#endif
        .cfi_endproc
        .size   \name, . - \name
        .set    index, index + 1
.endm

.macro quoted name
        .asciz  "\name"
.endm

        .text
#define CORE(symbol) stub symbol
#define BUILD(table)
#include "core_symbols.def"
#undef CORE
#undef BUILD

// What the core's table is called.
        .section .rodata
        .globl  gaiter_core_table_name
        .hidden gaiter_core_table_name
gaiter_core_table_name:
#define CORE(symbol)
#define BUILD(table) quoted table
#include "core_symbols.def"

        .bss
        .balign 64
        .globl  gaiter_core_slots, gaiter_core_slots_end
        .hidden gaiter_core_slots, gaiter_core_slots_end
gaiter_core_slots:
        .zero   8 * index
gaiter_core_slots_end:

        .section .note.GNU-stack, "", %progbits
