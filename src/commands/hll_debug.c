/*
 * hll_debug.c - HyperLogLogs: PFDEBUG looks into them, PFSELFTEST tries the algorithm.
 */
#include "commands/hll_internal.h"

#include <math.h>
#include <stdio.h>

/* ---- PFDEBUG -------------------------------------------------------------------------------- */

static bool debug_dense(struct call *c, struct entry **slot)
{
    bool sparse = hll_is_sparse(hll_view(slot));
    if (!hll_make_dense(c, &c->keys[0], slot)) return false;
    c->dirty += sparse;
    return true;
}

static void debug_getreg(struct call *c, struct entry **slot)
{
    if (!debug_dense(c, slot)) return;
    uint8_t *registers = mem_calloc(HLL_REGISTERS);
    hll_raise_to(registers, hll_view(slot));
    reply_array(c->r, HLL_REGISTERS);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++)
        reply_int(c->r, registers[i]);
    mem_free(registers);
}

static void debug_decode(struct call *c, struct entry **slot)
{
    struct buf text = {0};
    if (!hll_is_sparse(hll_view(slot))) {
        reply_error(c->r, "ERR HLL encoding is not sparse");
        return;
    }
    hll_decode(hll_view(slot), &text);
    reply_bulk(c->r, buf_slice(&text));
    buf_free(&text);
}

static void debug_encoding(struct call *c, struct entry **slot)
{
    reply_status(c->r, hll_is_sparse(hll_view(slot)) ? "sparse" : "dense");
}

static void debug_todense(struct call *c, struct entry **slot)
{
    bool sparse = hll_is_sparse(hll_view(slot));
    if (debug_dense(c, slot)) reply_int(c->r, sparse);
}

void pfdebug_command(struct call *c)
{
    static const struct {
        const char *name;
        void (*run)(struct call *c, struct entry **slot);
    } subcommands[] = {{"GETREG", debug_getreg},
                       {"DECODE", debug_decode},
                       {"ENCODING", debug_encoding},
                       {"TODENSE", debug_todense}};
    bool wrong = false;
    struct entry **slot = hll_slot(c, &c->keys[0], &wrong);
    if (!slot) {
        if (!wrong) reply_error(c->r, "ERR The specified key does not exist");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        if (!slice_is(c->argv[1], subcommands[i].name)) continue;
        subcommands[i].run(c, slot);
        return;
    }
    reply_errorf(c->r, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)MIN(c->argv[1].n, 128u),
                 c->argv[1].p);
}

/* ---- PFSELFTEST ----------------------------------------------------------------------------- */

#define TEST_REGISTERS 1000 /* rounds of random registers */
#define TEST_ELEMENTS  1000000
#define TEST_SPARSE    1000 /* elements that both forms are shown */
#define TEST_STEP      1000 /* elements, or rounds, between two looks at the clock */

struct selftest {
    char dense[HLL_DENSE_LEN], sparse[HLL_DENSE_LEN];
    size_t sparse_len;
    uint8_t want[HLL_REGISTERS], got[HLL_REGISTERS];
    char failure[128];
};

/* Others run meanwhile, unless all partitions are owned (in a transaction). */
static void breathe(const struct call *c, size_t i)
{
    if (i % TEST_STEP == 0 && !c->in_exec && co_should_yield()) co_yield();
}

/* Are registers of any value stored and read back? */
static bool test_registers(const struct call *c, struct selftest *t)
{
    for (size_t round = 0; round < TEST_REGISTERS; round++) {
        for (size_t i = 0; i < HLL_REGISTERS; i++)
            t->want[i] = (uint8_t)rand_below(64);
        hll_pack(t->want, t->dense);
        memset(t->got, 0, sizeof t->got);
        hll_raise_to(t->got, slice_of(t->dense, HLL_DENSE_LEN));
        if (memcmp(t->want, t->got, sizeof t->got) != 0) {
            snprintf(t->failure, sizeof t->failure, "registers differ in round %zu", round);
            return false;
        }
        breathe(c, round * 10);
    }
    return true;
}

static bool show(char *p, size_t *n, struct hll_hit hit)
{
    struct hll_edit edit;
    enum hll_effect effect = hll_look(slice_of(p, *n), hit, &edit);
    if (effect == HLL_CHANGES) *n = hll_apply(p, *n, &edit);
    return effect == HLL_CHANGES || effect == HLL_SAME;
}

static uint64_t estimate(const char *p, size_t n)
{
    struct hll_histogram h;
    return hll_histogram(slice_of(p, n), &h) ? hll_estimate(&h) : UINT64_MAX;
}

/* Is the estimate of n different elements as near as the theory says, with six sigma? */
static bool test_estimate(struct selftest *t, uint64_t n)
{
    double sigma = 1.04 / sqrt(HLL_REGISTERS);
    uint64_t got = estimate(t->dense, HLL_DENSE_LEN), off = got > n ? got - n : n - got;
    if ((double)off <= MAX(6 * sigma * (double)n, 1)) return true;
    snprintf(t->failure, sizeof t->failure, "too far off. card:%llu estimate:%llu",
             (unsigned long long)n, (unsigned long long)got);
    return false;
}

static bool test_sparse(struct selftest *t, struct hll_hit hit)
{
    if (!show(t->sparse, &t->sparse_len, hit)) return true; /* it would have to be dense */
    if (estimate(t->sparse, t->sparse_len) == estimate(t->dense, HLL_DENSE_LEN)) return true;
    snprintf(t->failure, sizeof t->failure, "dense/sparse disagree");
    return false;
}

static bool test_elements(const struct call *c, struct selftest *t)
{
    uint64_t seed = rand_u64(), next = 1;
    size_t n = HLL_DENSE_LEN;
    hll_empty(t->sparse);
    t->sparse_len = HLL_EMPTY_LEN;
    hll_to_dense(slice_of(t->sparse, HLL_EMPTY_LEN), t->dense);
    for (uint64_t i = 1; i <= TEST_ELEMENTS; i++) {
        uint64_t element = seed ^ i;
        struct hll_hit hit = hll_hit_of(slice_of(&element, sizeof element));
        show(t->dense, &n, hit);
        if (i <= TEST_SPARSE && !test_sparse(t, hit)) return false;
        if (i == next) {
            if (!test_estimate(t, i)) return false;
            next *= 10;
        }
        breathe(c, i);
    }
    return true;
}

void pfselftest_command(struct call *c)
{
    struct selftest *t = mem_calloc(sizeof *t);
    hll_empty(t->sparse);
    hll_to_dense(slice_of(t->sparse, HLL_EMPTY_LEN), t->dense);
    if (test_registers(c, t) && test_elements(c, t)) {
        reply_ok(c->r);
    } else {
        reply_errorf(c->r, "ERR TESTFAILED %s", t->failure);
    }
    mem_free(t);
}
