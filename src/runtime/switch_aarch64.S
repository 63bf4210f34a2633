/*
 * switch_aarch64.S - contexts of the AAPCS64: x19-x28, frame pointer, link register, d8-d15.
 *
 *   saved pointer -> x19 x20 .. x27 x28  x29 x30  d8 .. d15
 *                    +0      .. +64 +72  +80 +88  +96 .. +152
 */
#if defined(__aarch64__)
    .text

    .globl  switch__to
    .type   switch__to, %function
    .p2align 4
switch__to:
    sub     sp, sp, #160
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    mov     x9, sp
    str     x9, [x0]
    mov     sp, x1
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x9, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    add     sp, sp, #160
    mov     x30, x9
    br      x9
    .size   switch__to, .-switch__to

/* Frame pointer 0 ends every backtrace; the entry function gets link register = itself, and never
 * returns. */
    .globl  switch__prepare
    .type   switch__prepare, %function
    .p2align 4
switch__prepare:
    sub     x0, x0, #160
    stp     xzr, xzr, [x0, #0]
    stp     xzr, xzr, [x0, #16]
    stp     xzr, xzr, [x0, #32]
    stp     xzr, xzr, [x0, #48]
    stp     xzr, xzr, [x0, #64]
    stp     xzr, x1, [x0, #80]
    stp     xzr, xzr, [x0, #96]
    stp     xzr, xzr, [x0, #112]
    stp     xzr, xzr, [x0, #128]
    stp     xzr, xzr, [x0, #144]
    ret
    .size   switch__prepare, .-switch__prepare

    .globl  switch__jump
    .type   switch__jump, %function
    .p2align 4
switch__jump:
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    br      x1
    .size   switch__jump, .-switch__jump
#endif
    .section .note.GNU-stack, "", %progbits
