/*
 * crash.c - fatal signals: a report with the signal, the coroutine, the registers and the stack,
 * then the death the signal asks for (exit status, core file).
 *
 * Everything here runs in a signal handler: no allocation, no lock, no stdio; text goes out with
 * log_signal_safe(). backtrace() is called once in advance, because its first call loads a library.
 */
#include "server/crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <ucontext.h>

#include "base/base.h"
#include "runtime/runtime.h"
#include "server/metrics.h"
#include "server/session.h"
#include "server/version.h"

#define FRAMES_MAX 64

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static _Atomic(bool) enabled = true; /* relaxed */
static atomic_flag reporting = ATOMIC_FLAG_INIT;

void crash_enable(bool on)
{
    atomic_store_explicit(&enabled, on, memory_order_relaxed);
}

static void put(const char *text)
{
    log_signal_safe(text);
}

static void put_int(int64_t v)
{
    char text[NUM_I64_MAX];
    num_fmt_i64(text, v);
    put(text);
}

static void put_hex(uint64_t v)
{
    char text[19] = "0x";
    for (int i = 0; i < 16; i++)
        text[2 + i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    text[18] = '\0';
    put(text);
}

/* ---- registers --------------------------------------------------------------------------------
 */

#if defined(__x86_64__)
static const struct {
    const char *name;
    int index;
} registers[] = {
    {"RAX:", REG_RAX}, {"RBX:", REG_RBX}, {"RCX:", REG_RCX}, {"RDX:", REG_RDX}, {"RSI:", REG_RSI},
    {"RDI:", REG_RDI}, {"RBP:", REG_RBP}, {"RSP:", REG_RSP}, {"R8 :", REG_R8},  {"R9 :", REG_R9},
    {"R10:", REG_R10}, {"R11:", REG_R11}, {"R12:", REG_R12}, {"R13:", REG_R13}, {"R14:", REG_R14},
    {"R15:", REG_R15}, {"RIP:", REG_RIP}, {"EFL:", REG_EFL},
};

static void put_registers(const ucontext_t *context)
{
    for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
        put(registers[i].name);
        put_hex((uint64_t)context->uc_mcontext.gregs[registers[i].index]);
        put(i % 4 == 3 ? "\n" : " ");
    }
    put("\n");
}
#elif defined(__aarch64__)
static void put_registers(const ucontext_t *context)
{
    for (int i = 0; i < 31; i++) {
        put("X");
        put_int(i);
        put(":");
        put_hex(context->uc_mcontext.regs[i]);
        put(i % 4 == 3 ? "\n" : " ");
    }
    put("SP:");
    put_hex(context->uc_mcontext.sp);
    put(" PC:");
    put_hex(context->uc_mcontext.pc);
    put("\n");
}
#else
static void put_registers(const ucontext_t *context)
{
    put("(not known for this processor)\n");
}
#endif

/* ---- stack ------------------------------------------------------------------------------------
 */

static void put_frame(void *address)
{
    Dl_info info;
    put_hex((uint64_t)(uintptr_t)address);
    if (dladdr(address, &info) && info.dli_fname) {
        put(" ");
        put(info.dli_sname ? info.dli_sname : "?");
        put(" in ");
        put(info.dli_fname);
        put("+");
        put_hex((uint64_t)((char *)address - (char *)info.dli_fbase));
    }
    put("\n");
}

static void put_stack(void)
{
    void *frames[FRAMES_MAX];
    int n = backtrace(frames, FRAMES_MAX);
    for (int i = 2; i < n; i++)
        put_frame(frames[i]); /* behind this function and the handler */
}

static void put_coroutine(const void *fault_addr)
{
    const char *overflowed = rt_stack_overflow(fault_addr);
    struct co *co = co_self();
    if (overflowed) {
        put("Stack overflow in coroutine: ");
        put(overflowed);
    } else {
        put("Coroutine: ");
        put(co ? co_name(co) : "none");
    }
    put(", worker: ");
    put_int(rt_worker_id() == UINT32_MAX ? -1 : (int64_t)rt_worker_id());
    put("\n");
}

/* ---- what the server was doing: of INFO, what atomics alone tell -------------------------------
 */

static void put_field(const char *name, uint64_t v)
{
    put(name);
    put_int((int64_t)v);
    put("\n");
}

static void put_info(void)
{
    put_field("connected_clients:", sessions_count());
    put_field("blocked_clients:", sessions_blocked());
    put_field("total_connections_received:", metrics_get(METRIC_CONNECTIONS));
    put_field("total_net_input_bytes:", metrics_get(METRIC_NET_IN));
    put_field("total_net_output_bytes:", metrics_get(METRIC_NET_OUT));
    put_field("worker_threads:", rt_worker_count());
}

/* ---- the handler -------------------------------------------------------------------------------
 */

static void report(int sig, const siginfo_t *info, const ucontext_t *context)
{
    put("\n=== REDIS BUG REPORT START: please send all of it with a report of the fault ===\n");
    put("Weft " WEFT_VERSION " (Redis " REDIS_VERSION ") crashed by signal: ");
    put_int(sig);
    put(", si_code: ");
    put_int(info->si_code);
    put("\n");
    if (sig == SIGSEGV || sig == SIGBUS) {
        put("Accessing address: ");
        put_hex((uint64_t)(uintptr_t)info->si_addr);
        put("\n");
    }
    put_coroutine(info->si_addr);
    put("\n------ REGISTERS ------\n");
    put_registers(context);
    put("\n------ STACK TRACE ------\n");
    put_stack();
    put("\n------ INFO OUTPUT ------\n");
    put_info();
    put("\n=== REDIS BUG REPORT END ===\n");
}

/* The handler was reset (SA_RESETHAND): raised again, the signal ends the process. A second thread
 * that crashes meanwhile just waits for that. */
static void on_fatal_signal(int sig, siginfo_t *info, void *context)
{
    bool wanted = atomic_load_explicit(&enabled, memory_order_relaxed);
    if (wanted && !atomic_flag_test_and_set_explicit(&reporting, memory_order_relaxed)) {
        report(sig, info, context);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

void crash_install(void)
{
    void *frame;
    struct sigaction action = {.sa_sigaction = on_fatal_signal};
    backtrace(&frame, 1);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++) {
        sigaction(fatal_signals[i], &action, NULL);
    }
}
