# Sends its standard input, block by block, and prints what comes back.
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
        lea     rsi, [rip + address]
        mov     edx, 16
        call    connect@PLT
        test    eax, eax
        jnz     failed

again:  xor     edi, edi
        lea     rsi, [rip + block]
        mov     edx, 16384
        call    read@PLT
        test    rax, rax
        js      failed
        jz      ended
        mov     r12, rax                # the block's length
        xor     r13d, r13d
sends:  mov     edi, ebx
        lea     rsi, [rip + block]
        add     rsi, r13
        mov     rdx, r12
        sub     rdx, r13
        xor     ecx, ecx
        call    send@PLT
        test    rax, rax
        js      failed
        add     r13, rax
        cmp     r13, r12
        jb      sends
        xor     r13d, r13d
takes:  mov     edi, ebx
        lea     rsi, [rip + block]
        add     rsi, r13
        mov     rdx, r12
        sub     rdx, r13
        xor     ecx, ecx
        call    recv@PLT
        test    rax, rax
        jle     failed
        add     r13, rax
        cmp     r13, r12
        jb      takes
        mov     edi, 1
        lea     rsi, [rip + block]
        mov     rdx, r12
        call    write@PLT               # a file: takes all
        jmp     again

ended:  mov     edi, ebx
        mov     esi, 1                  # SHUT_WR
        call    shutdown@PLT
        mov     edi, ebx
        lea     rsi, [rip + block]
        mov     edx, 16384
        call    read@PLT                # end of file: 0 is the exit status
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
        .bss
block:  .space  16384
        .section .note.GNU-stack, "", @progbits
