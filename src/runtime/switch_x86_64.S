/*
 * switch_x86_64.S - contexts of the System V ABI: six registers and a return address.
 *
 *   saved pointer -> r15 r14 r13 r12 rbx rbp  address to go on at
 *                    +0  +8  +16 +24 +32 +40  +48
 *
 * It leaves by a return: almost always to the one place that suspends coroutines (leave() in co.c),
 * which is also what the processor's stack of calls predicts, and so that stack stays in step.
 */
#if defined(__x86_64__)
    .text

    .globl  switch__to
    .type   switch__to, @function
    .p2align 4
switch__to:
    .cfi_startproc
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    ret
    .cfi_endproc
    .size   switch__to, .-switch__to

/* On entry of a function the stack pointer is 8 below a multiple of 16; the 0 below the top ends
 * every backtrace. */
    .globl  switch__prepare
    .type   switch__prepare, @function
    .p2align 4
switch__prepare:
    leaq    -64(%rdi), %rax
    xorl    %ecx, %ecx
    movq    %rcx, (%rax)
    movq    %rcx, 8(%rax)
    movq    %rcx, 16(%rax)
    movq    %rcx, 24(%rax)
    movq    %rcx, 32(%rax)
    movq    %rcx, 40(%rax)
    movq    %rsi, 48(%rax)
    movq    %rcx, 56(%rax)
    ret
    .size   switch__prepare, .-switch__prepare

    .globl  switch__jump
    .type   switch__jump, @function
    .p2align 4
switch__jump:
    movq    %rdi, %rsp
    xorl    %ebp, %ebp
    pushq   %rbp
    jmpq    *%rsi
    .size   switch__jump, .-switch__jump
#endif
    .section .note.GNU-stack, "", %progbits
