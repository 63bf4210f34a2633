/*
 * table.c - the registry of commands: names to declarations, and arguments to keys.
 *
 *   declared tables --commands_register--> copies, by id:   [0][1][2] ... subcommands too
 *                                             ^
 *   name, folded to lower case, 16 bytes --hash--> slots:   [ head|tail|n|cmd ] ...
 *
 * Every request is looked up here, so the lookup reads the name as two words (its first and its
 * last eight bytes, overlapping when it is short), folds case with one OR each, and compares words.
 * The OR maps letters of both cases to the same bytes, but some other bytes to each other as well,
 * and the words leave out the middle of a name longer than 16; a slot whose name has either says so
 * (`verify`) and is compared in full.
 *
 * Invariants
 *  1. Registering and renaming happen before the first dispatch; from then on all is read only.
 *  2. A slot's words are those of its name in lower case; a probe ends at an empty slot.
 */
#include "commands/commands_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLD 0x2020202020202020ull

struct name {
    uint64_t head, tail;
    uint32_t n;
};

struct slot {
    struct name name;
    bool verify;
    const char *text; /* the name as registered, for verify and listing */
    const struct command *cmd;
};

static struct slot *slots; /* a power of two, at most a quarter of them taken */
static uint32_t slots_mask, slots_used;
static struct command **by_id;
static uint32_t count;

struct command_hooks command_hooks;
_Atomic(uint32_t) commands_gate, commands_notify;
_Atomic(int64_t) commands_slow_us = 10000;

void commands_set_hooks(const struct command_hooks *hooks)
{
    command_hooks = *hooks;
}

/* ---- names ---------------------------------------------------------------------------------- */

static inline uint64_t word8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint64_t word4(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline struct name name_of(struct slice s)
{
    struct name name = {.n = (uint32_t)s.n};
    if (s.n >= 8) {
        name.head = word8(s.p) | FOLD;
        name.tail = word8(s.p + s.n - 8) | FOLD;
    } else if (s.n >= 4) {
        name.head = word4(s.p) | FOLD;
        name.tail = word4(s.p + s.n - 4) | FOLD;
    } else if (s.n > 0) { /* the first, the middle and the last byte are all there are */
        name.head = FOLD | (uint8_t)s.p[0] | (uint64_t)(uint8_t)s.p[s.n / 2] << 8 |
                    (uint64_t)(uint8_t)s.p[s.n - 1] << 16;
    }
    return name;
}

static inline uint32_t name_hash(struct name name)
{
    uint64_t h = (name.head ^ (name.tail * 31) ^ name.n) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(h >> 40);
}

static bool needs_verify(const char *text)
{
    if (strlen(text) > 16) return true;
    for (; *text; text++) {
        if (!isalpha((unsigned char)*text)) return true;
    }
    return false;
}

static inline struct slot *slot_of(struct slice s)
{
    struct name name = name_of(s);
    for (uint32_t i = name_hash(name);; i++) {
        struct slot *slot = &slots[i & slots_mask];
        if (LIKELY(slot->name.head == name.head && slot->name.tail == name.tail &&
                   slot->name.n == name.n && slot->cmd) &&
            (!slot->verify || slice_is(s, slot->text))) {
            return slot;
        }
        if (!slot->text) return NULL;
    }
}

static void slot_insert(struct slot slot)
{
    for (uint32_t i = name_hash(slot.name);; i++) {
        struct slot *at = &slots[i & slots_mask];
        if (!at->text) {
            *at = slot;
            return;
        }
    }
}

static void slots_grow(void)
{
    struct slot *old = slots;
    uint32_t n = old ? slots_mask + 1 : 0, size = n ? 2 * n : 1024;
    slots = mem_calloc(size * sizeof *slots);
    slots_mask = size - 1;
    for (uint32_t i = 0; i < n; i++) {
        if (old[i].cmd) slot_insert(old[i]);
    }
    mem_free(old);
}

static void add_name(const char *text, const struct command *cmd)
{
    struct slot slot = {.name = name_of(slice_str(text)), .text = text, .cmd = cmd};
    slot.verify = needs_verify(text);
    if (4 * ++slots_used > slots_mask) slots_grow();
    slot_insert(slot);
}

/* ---- registration --------------------------------------------------------------------------- */

unsigned command_key_specs(const struct command *cmd)
{
    unsigned n = 0;
    while (n < ARRAY_LEN(cmd->keys) && cmd->keys[n].find != KEYS_NONE)
        n++;
    return n;
}

static bool is_one_key(const struct command *cmd)
{
    const struct key_spec *spec = &cmd->keys[0];
    return command_key_specs(cmd) == 1 && !cmd->find_keys && spec->find == KEYS_RANGE &&
           spec->last == 0 && spec->first > 0 && spec->first < 256 &&
           spec->first < abs(cmd->arity) && !(spec->flags & (KEY_NOT_KEY | KEY_INCOMPLETE)) &&
           !(cmd->flags & (CMD_BLOCKING | CMD_OTHER_DB | CMD_SESSION));
}

static enum command_shape shape_of(const struct command *cmd)
{
    if (cmd->flags & (CMD_WALK | CMD_OWNS_ITSELF)) return SHAPE_KEYLESS;
    if (cmd->flags & CMD_ALL) return SHAPE_ALL;
    if (is_one_key(cmd)) return SHAPE_ONE;
    return cmd->find_keys || command_key_specs(cmd) ? SHAPE_KEYS : SHAPE_KEYLESS;
}

/* Strings, hashes and sets are types that nobody waits for. */
static bool may_ready(const struct command *cmd)
{
    static const char *const never[] = {"string", "hash", "set", "bitmap", "hyperloglog", NULL};
    if (!(cmd->flags & CMD_WRITE)) return false;
    for (int i = 0; never[i]; i++) {
        if (cmd->group && strcmp(cmd->group, never[i]) == 0) return false;
    }
    return true;
}

static bool has_movable_keys(const struct command *cmd)
{
    for (unsigned i = 0; i < command_key_specs(cmd); i++) {
        if (cmd->keys[i].find != KEYS_RANGE) return true;
    }
    return false;
}

static char *full_name(const struct command *cmd, const struct command *parent)
{
    if (!parent) return mem_strdup(cmd->name);
    struct buf b = {0};
    buf_addf(&b, "%s|%s", parent->name, cmd->name);
    buf_cstr(&b);
    return b.p;
}

static size_t table_len(const struct command *table)
{
    size_t n = 0;
    while (table[n].name)
        n++;
    return n;
}

/* A copy of a table with what is filled in; ends with a name of NULL again. */
static struct command *copy_table(const struct command *table, const struct command *parent)
{
    size_t n = table_len(table);
    struct command *copy = mem_dup(table, (n + 1) * sizeof *table);
    by_id = mem_realloc(by_id, (count + n) * sizeof(*by_id));
    for (size_t i = 0; i < n; i++) {
        copy[i].parent = parent;
        copy[i].full_name = full_name(&copy[i], parent);
        copy[i].id = count++;
        by_id[copy[i].id] = &copy[i];
    }
    for (size_t i = 0; i < n; i++) {
        struct command *cmd = &copy[i];
        cmd->shape = (uint8_t)shape_of(cmd);
        cmd->key_at = cmd->shape == SHAPE_ONE ? (uint8_t)cmd->keys[0].first : 0;
        cmd->may_ready = may_ready(cmd);
        if (has_movable_keys(cmd)) cmd->flags |= CMD_MOVABLEKEYS;
        if (cmd->subcommands) cmd->subcommands = copy_table(cmd->subcommands, cmd);
    }
    return copy;
}

void commands_register(struct command *table)
{
    struct command *copy = copy_table(table, NULL);
    for (; copy->name; copy++) {
        CHECK(!command_lookup(slice_str(copy->name)));
        add_name(copy->name, copy);
    }
}

bool commands_rename(const char *name, const char *to)
{
    struct slot *slot = slots ? slot_of(slice_str(name)) : NULL;
    if (!slot) return false;
    const struct command *cmd = slot->cmd;
    if (*to && command_lookup(slice_str(to)) && command_lookup(slice_str(to)) != cmd) return false;
    slot->cmd = NULL; /* its text stays: probes go on over it */
    if (*to) add_name(mem_strdup(to), cmd);
    return true;
}

/* ---- lookup --------------------------------------------------------------------------------- */

const struct command *command_lookup(struct slice name)
{
    const struct slot *slot = LIKELY(slots != NULL) ? slot_of(name) : NULL;
    return LIKELY(slot != NULL) ? slot->cmd : NULL;
}

static const struct command *find_sub(const struct command *container, struct slice name)
{
    for (const struct command *sub = container->subcommands; sub->name; sub++) {
        if (slice_is(name, sub->name)) return sub;
    }
    return NULL;
}

const struct command *command_find(uint32_t argc, const struct slice *argv,
                                   const struct command **container)
{
    const struct command *cmd = command_lookup(argv[0]);
    if (container) *container = cmd;
    return cmd && cmd->subcommands && argc > 1 ? find_sub(cmd, argv[1]) : cmd;
}

uint32_t commands_count(void)
{
    return count;
}

const struct command *command_by_id(uint32_t id)
{
    return id < count ? by_id[id] : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct command *const *)a)->name,
                  (*(const struct command *const *)b)->name);
}

void commands_each(void (*fn)(const struct command *cmd, void *arg), void *arg)
{
    const struct command **all = mem_alloc((slots_used + 1) * sizeof(*all));
    size_t n = 0;
    for (uint32_t i = 0; slots && i <= slots_mask; i++) {
        if (slots[i].cmd) all[n++] = slots[i].cmd;
    }
    qsort(all, n, sizeof *all, by_name);
    for (size_t i = 0; i < n; i++)
        fn(all[i], arg);
    mem_free(all);
}

bool command_arity_ok(const struct command *cmd, uint32_t argc)
{
    return cmd->arity >= 0 ? argc == (uint32_t)cmd->arity : argc >= (uint32_t)-cmd->arity;
}

uint32_t command_acl(const struct command *cmd)
{
    uint32_t flags = cmd->flags, acl = cmd->acl;
    bool write = flags & CMD_WRITE;
    /* What only looks at scripts is neither; SCRIPT's and FUNCTION's writes say so themselves. */
    if (write) acl |= ACL_WRITE;
    if ((flags & CMD_READONLY) && !(acl & ACL_SCRIPTING)) acl |= ACL_READ;
    if (flags & CMD_ADMIN) acl |= ACL_ADMIN | ACL_DANGEROUS;
    if (flags & CMD_PUBSUB) acl |= ACL_PUBSUB;
    if (flags & CMD_BLOCKING) acl |= ACL_BLOCKING;
    return acl | (flags & CMD_FAST ? ACL_FAST : ACL_SLOW);
}

/* ---- keys ----------------------------------------------------------------------------------- */

struct key_out {
    struct key_ref *refs;
    int max, n;
};

static void put_key(struct key_out *out, uint32_t index, uint32_t flags)
{
    if (out->n < out->max) out->refs[out->n] = (struct key_ref){index, flags};
    out->n++;
}

/* The argument behind the keyword, or -1. The last argument is never the keyword. */
static int64_t behind_keyword(const struct key_spec *spec, uint32_t argc, const struct slice *argv)
{
    int64_t from = spec->first >= 0 ? spec->first : (int64_t)argc + spec->first;
    int step = spec->first >= 0 ? 1 : -1;
    for (int64_t i = from; i > 0 && i < (int64_t)argc - 1; i += step) {
        if (slice_is(argv[i], spec->keyword)) return i + 1;
    }
    return -1;
}

static bool put_range(const struct key_spec *spec, int64_t first, uint32_t argc, uint32_t flags,
                      struct key_out *out)
{
    int64_t last = first + spec->last;
    int step = spec->step > 0 ? spec->step : 1;
    if (spec->last < 0) {
        last = (int64_t)argc + spec->last;
        if (spec->limit >= 2) last = first + (last - first + 1) / spec->limit - 1;
    }
    if (first >= argc || last >= argc || last < first) return false;
    for (int64_t i = first; i <= last; i += step)
        put_key(out, (uint32_t)i, flags);
    return true;
}

static bool put_counted(const struct key_spec *spec, int64_t at, uint32_t argc,
                        const struct slice *argv, uint32_t flags, struct key_out *out)
{
    int64_t n;
    int step = spec->step > 0 ? spec->step : 1;
    if (at >= argc || !num_parse_i64(argv[at], &n)) return false;
    if (n < 0 || n > argc || at + n * step >= argc) return false;
    for (int64_t i = 0; i < n; i++)
        put_key(out, (uint32_t)(at + 1 + i * step), flags);
    return true;
}

static bool put_spec(const struct key_spec *spec, uint32_t argc, const struct slice *argv,
                     uint32_t flags, struct key_out *out)
{
    int64_t at = spec->first;
    if (spec->find == KEYS_RANGE_AFTER || spec->find == KEYS_NUM_AFTER) {
        at = behind_keyword(spec, argc, argv);
        if (at < 0) return true; /* the option is not given */
    }
    switch (spec->find) {
    case KEYS_RANGE:
    case KEYS_RANGE_AFTER: return put_range(spec, at, argc, flags, out);
    case KEYS_NUM:
    case KEYS_NUM_AFTER: return put_counted(spec, at, argc, argv, flags, out);
    default: return true;
    }
}

/* The first key is of the first specification, the others are of the last one. */
static int put_found(const struct command *cmd, uint32_t argc, const struct slice *argv,
                     struct key_out *out)
{
    unsigned specs = command_key_specs(cmd);
    uint32_t few[16], *index = few;
    int n = cmd->find_keys(argc, argv, few, ARRAY_LEN(few));
    if (n > (int)ARRAY_LEN(few)) {
        index = mem_alloc((size_t)n * sizeof *index);
        n = cmd->find_keys(argc, argv, index, n);
    }
    for (int i = 0; i < n; i++) {
        put_key(out, index[i], specs ? cmd->keys[i ? specs - 1 : 0].flags : 0);
    }
    if (index != few) mem_free(index);
    return n < 0 ? -1 : out->n;
}

int command_keys(const struct command *cmd, uint32_t argc, const struct slice *argv,
                 struct key_ref *refs, int max)
{
    struct key_out out = {refs, max, 0};
    if (cmd->find_keys) return put_found(cmd, argc, argv, &out);
    for (unsigned i = 0; i < command_key_specs(cmd); i++) {
        const struct key_spec *spec = &cmd->keys[i];
        uint32_t flags = spec->flags;
        if (flags & KEY_NOT_KEY) continue;
        if ((flags & KEY_VARIABLE_FLAGS) && cmd->key_flags) flags = cmd->key_flags(argc, argv);
        if (!put_spec(spec, argc, argv, flags, &out)) return -1;
    }
    return out.n;
}

void key_list_of(struct key_list *list, const struct command *cmd, uint32_t argc,
                 const struct slice *argv)
{
    struct key_ref few[ARRAY_LEN(list->few)], *refs = few;
    int n = command_keys(cmd, argc, argv, few, ARRAY_LEN(few));
    list->keys = list->few;
    list->n = 0;
    if (n <= 0) return;
    if (n > (int)ARRAY_LEN(few)) {
        refs = mem_alloc((size_t)n * sizeof *refs);
        list->keys = mem_alloc((size_t)n * sizeof *list->keys);
        n = command_keys(cmd, argc, argv, refs, n);
    }
    for (int i = 0; i < n; i++)
        list->keys[i] = key_of(argv[refs[i].index]);
    list->n = (uint32_t)n;
    if (refs != few) mem_free(refs);
}

void key_list_free(struct key_list *list)
{
    if (list->keys != list->few) mem_free(list->keys);
}
