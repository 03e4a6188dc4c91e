# Serves one connection: sends back what comes, until end of file.
        .intel_syntax noprefix
        .globl  main
        .text
main:   push    rbx
        push    r12
        push    r13                     # the stack is aligned to 16 from here on
        mov     rdi, [rsi + 8]          # argv[1]
        call    atoi@PLT
        mov     edi, eax
        call    htons@PLT
        mov     [rip + address + 2], ax

        mov     edi, 2                  # AF_INET
        mov     esi, 1                  # SOCK_STREAM
        xor     edx, edx
        call    socket@PLT
        mov     ebx, eax
        mov     edi, ebx
        mov     esi, 1                  # SOL_SOCKET
        mov     edx, 2                  # SO_REUSEADDR
        lea     rcx, [rip + one]
        mov     r8d, 4
        call    setsockopt@PLT
        mov     edi, ebx
        lea     rsi, [rip + address]
        mov     edx, 16
        call    bind@PLT
        test    eax, eax
        jnz     failed
        mov     edi, ebx
        mov     esi, 5
        call    listen@PLT
        mov     edi, ebx
        xor     esi, esi
        xor     edx, edx
        call    accept@PLT
        mov     ebx, eax

again:  mov     edi, ebx
        lea     rsi, [rip + block]
        mov     edx, 16384
        call    read@PLT
        test    rax, rax
        js      failed
        jz      ended
        mov     r13, rax                # bytes to send
        lea     r12, [rip + block]
rest:   mov     edi, ebx
        mov     rsi, r12
        mov     rdx, r13
        call    write@PLT
        test    rax, rax
        js      failed
        add     r12, rax
        sub     r13, rax
        jnz     rest
        jmp     again

ended:  mov     edi, ebx
        call    close@PLT
        jmp     leave
failed: mov     eax, 1
leave:  pop     r13
        pop     r12
        pop     rbx
        ret

        .data
address:.word   2                       # AF_INET
        .word   0                       # the port
        .byte   127, 0, 0, 1
        .quad   0
one:    .long   1
        .bss
block:  .space  16384
        .section .note.GNU-stack, "", @progbits
