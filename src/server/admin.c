/*
 * admin.c - the administration commands' registration and hooks, and the small ones: TIME, LOLWUT.
 */
#include "server/admin.h"

#include <stdio.h>
#include <sys/time.h>

/* ---- slow calls -------------------------------------------------------------------------------
 */

/* One threshold decides in the hot path; here the two it stands for are told apart. */
static void call_was_slow(const struct call *c, int64_t us)
{
    int64_t slow = config_num(OPT_SLOWLOG_LOG_SLOWER_THAN);
    if (slow >= 0 && us >= slow && !(c->cmd->flags & CMD_SKIP_SLOWLOG)) slowlog_note(c, us);
    latency_note(c->cmd->flags & CMD_FAST ? "fast-command" : "command", us / 1000);
}

void admin_thresholds(void)
{
    int64_t slow = config_num(OPT_SLOWLOG_LOG_SLOWER_THAN);
    int64_t latency = config_num(OPT_LATENCY_MONITOR_THRESHOLD) * 1000;
    int64_t least = slow;
    if (latency > 0 && (slow < 0 || latency < slow)) least = latency;
    atomic_store_explicit(&commands_slow_us, least, memory_order_relaxed);
}

void admin_hooks(struct command_hooks *hooks)
{
    hooks->slow = call_was_slow;
}

void admin_init(void)
{
    struct memory_report at_start;
    commands_register(info_commands);
    commands_register(slowlog_commands);
    commands_register(latency_commands);
    commands_register(memory_commands);
    commands_register(debug_commands);
    commands_register(misc_commands);
    admin_thresholds();
    memory_report(&at_start); /* remembers what was used before the first client */
}

void admin_second(void)
{
    mem_sample_peak();
}

void admin_reset_stats(void)
{
    metrics_reset();
    commands_reset_stats();
    keyspace_reset_stats();
}

/* ---- TIME -------------------------------------------------------------------------------------
 */

static void time_command(struct call *c)
{
    int64_t us = clock_unix_us();
    reply_array(c->r, 2);
    reply_bulk_int(c->r, us / 1000000);
    reply_bulk_int(c->r, us % 1000000);
}

/* ---- LOLWUT: a piece of cloth ------------------------------------------------------------------
 */

#define CLOTH_MAX_WIDTH  200
#define CLOTH_MAX_HEIGHT 60

/* Is the warp thread above the weft at this crossing? Twill with a step drawn for each piece. */
static bool warp_above(unsigned x, unsigned y, unsigned step, unsigned period)
{
    return (x + y * step) % period < period / 2;
}

static void weave(struct buf *out, unsigned width, unsigned height)
{
    static const char *const warp[] = {"│", "║", "┃"};
    static const char *const weft[] = {"─", "═", "━"};
    unsigned style = (unsigned)rand_below(3), period = 4 + 2 * (unsigned)rand_below(4);
    unsigned step = 1 + (unsigned)rand_below(period - 1), turn = height / 2;
    for (unsigned y = 0; y < height; y++) {
        unsigned row = y < turn ? y : height - 1 - y; /* a herringbone: it turns half-way */
        for (unsigned x = 0; x < width; x++) {
            buf_addz(out, warp_above(x, row, step, period) ? warp[style] : weft[style]);
        }
        buf_addc(out, '\n');
    }
}

static void lolwut_command(struct call *c)
{
    struct buf text = {0};
    int64_t width = 66, height = 16;
    uint32_t at = 1;
    if (at + 1 < c->argc && slice_is(c->argv[at], "VERSION")) at += 2;
    if (at < c->argc && !call_i64(c, at, &width)) return;
    if (at + 1 < c->argc && !call_i64(c, at + 1, &height)) return;
    width = MIN(MAX(width, 1), CLOTH_MAX_WIDTH);
    height = MIN(MAX(height, 1), CLOTH_MAX_HEIGHT);
    weave(&text, (unsigned)width, (unsigned)height);
    buf_addf(&text, "\nWoven by hand. Redis ver. %s, Weft %s\n", REDIS_VERSION, WEFT_VERSION);
    reply_verbatim(c->r, "txt", buf_slice(&text));
    buf_free(&text);
}

static const char *const varies[] = {"nondeterministic_output", NULL};

struct command misc_commands[] = {
    {.name = "time",
     .run = time_command,
     .arity = 1,
     .group = "server",
     .since = "2.6.0",
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
     .hints = varies,
     .complexity = "O(1)",
     .summary = "Returns the server's clock: seconds since 1970, and microseconds."},
    {.name = "lolwut",
     .run = lolwut_command,
     .arity = -1,
     .group = "server",
     .since = "5.0.0",
     .flags = CMD_READONLY | CMD_FAST,
     .summary = "Weaves a piece of cloth.",
     .syntax = "[VERSION version:integer] [width:integer [height:integer]]"},
    {.name = NULL},
};
