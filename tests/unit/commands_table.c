/*
 * commands_table.c - the registry: names in any case, subcommands, renaming, arity, categories, and
 * which arguments are keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "commands/commands_internal.h"

static void nothing(struct call *c) {}

static int first_and_last(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    if (argc < 3) return -1;
    if (max > 0) out[0] = 1;
    if (max > 1) out[1] = argc - 1;
    return 2;
}

static uint32_t flags_of_call(uint32_t argc, const struct slice *argv)
{
    return argc > 2 ? KEY_RW : KEY_OW;
}

#define ONE                                                                                        \
    {                                                                                              \
        {                                                                                          \
            .find = KEYS_RANGE, .flags = KEY_RO, .first = 1, .last = 0, .step = 1                  \
        }                                                                                          \
    }
#define ALL                                                                                        \
    {                                                                                              \
        {                                                                                          \
            .find = KEYS_RANGE, .flags = KEY_RO, .first = 1, .last = -1, .step = 1                 \
        }                                                                                          \
    }

static const struct command subs[] = {
    {.name = "list", .run = nothing, .arity = -2},
    {.name = "kill", .run = nothing, .arity = 3, .flags = CMD_ADMIN},
    {.name = NULL},
};

static struct command table[] = {
    {.name = "get", .run = nothing, .arity = 2, .flags = CMD_READONLY | CMD_FAST, .keys = ONE},
    {.name = "append",
     .run = nothing,
     .arity = 3,
     .flags = CMD_WRITE,
     .group = "string",
     .keys = ONE},
    {.name = "lpush",
     .run = nothing,
     .arity = -3,
     .flags = CMD_WRITE,
     .group = "list",
     .keys = ONE},
    {.name = "x", .run = nothing, .arity = 1},
    {.name = "a_b", .run = nothing, .arity = 1},
    {.name = "georadiusbymember_ro", .run = nothing, .arity = 1},
    {.name = "blpop",
     .run = nothing,
     .arity = -3,
     .flags = CMD_WRITE | CMD_BLOCKING,
     .keys = {{.find = KEYS_RANGE, .flags = KEY_RW, .first = 1, .last = -2, .step = 1}}},
    {.name = "mget", .run = nothing, .arity = -2, .flags = CMD_READONLY, .keys = ALL},
    {.name = "mset",
     .run = nothing,
     .arity = -3,
     .flags = CMD_WRITE,
     .keys = {{.find = KEYS_RANGE, .flags = KEY_OW, .first = 1, .last = -1, .step = 2}}},
    {.name = "lmpop",
     .run = nothing,
     .arity = -4,
     .flags = CMD_WRITE,
     .keys = {{.find = KEYS_NUM, .flags = KEY_RW, .first = 1, .step = 1}}},
    {.name = "store",
     .run = nothing,
     .arity = -3,
     .flags = CMD_WRITE,
     .keys =
         {{.find = KEYS_RANGE, .flags = KEY_RO, .first = 1, .step = 1},
          {.find = KEYS_RANGE_AFTER, .flags = KEY_OW, .first = 2, .step = 1, .keyword = "STORE"}}},
    {.name = "halves",
     .run = nothing,
     .arity = -4,
     .keys = {{.find = KEYS_RANGE_AFTER,
               .flags = KEY_RO,
               .first = 1,
               .last = -1,
               .step = 1,
               .limit = 2,
               .keyword = "STREAMS"}}},
    {.name = "found",
     .run = nothing,
     .arity = -2,
     .find_keys = first_and_last,
     .keys = {{.find = KEYS_RANGE, .flags = KEY_RO, .first = 1, .step = 1},
              {.find = KEYS_UNKNOWN, .flags = KEY_OW}}},
    {.name = "varies",
     .run = nothing,
     .arity = -2,
     .key_flags = flags_of_call,
     .keys = {{.find = KEYS_RANGE, .flags = KEY_RW | KEY_VARIABLE_FLAGS, .first = 1, .step = 1}}},
    {.name = "flush", .run = nothing, .arity = 1, .flags = CMD_WRITE | CMD_ALL},
    {.name = "walk", .run = nothing, .arity = 1, .flags = CMD_READONLY | CMD_WALK},
    {.name = "client", .arity = -2, .subcommands = subs},
    {.name = "old", .run = nothing, .arity = 1},
    {.name = "gone", .run = nothing, .arity = 1},
    {.name = NULL},
};

static const struct command *lookup(const char *name)
{
    return command_lookup(slice_str(name));
}

static void assert_name(const char *name, const char *expected)
{
    const struct command *cmd = lookup(name);
    if (!expected) {
        assert_null(cmd);
        return;
    }
    assert_non_null(cmd);
    assert_string_equal(cmd->name, expected);
}

static uint32_t split(char *line, struct slice *argv)
{
    uint32_t n = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[n++] = slice_str(word);
    return n;
}

/* The indexes of the keys of a call, as text; "invalid". */
static void assert_keys(const char *call, const char *expected)
{
    char line[128], text[128] = "";
    struct slice argv[32];
    struct key_ref refs[32];
    snprintf(line, sizeof line, "%s", call);
    uint32_t argc = split(line, argv);
    int n = command_keys(command_lookup(argv[0]), argc, argv, refs, 32);
    for (int i = 0; i < n; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i ? " " : "",
                 refs[i].index);
    }
    assert_string_equal(n < 0 ? "invalid" : text, expected);
    assert_int_equal(command_keys(command_lookup(argv[0]), argc, argv, refs, 1), n);
}

static void names_are_found_in_any_case(void **state)
{
    for (int i = 0; table[i].name; i++) {
        char upper[64] = "";
        for (int k = 0; table[i].name[k]; k++) {
            upper[k] =
                table[i].name[k] >= 'a' ? (char)(table[i].name[k] & ~0x20) : table[i].name[k];
        }
        upper[strcspn(upper, "\x1f")] = 0;
        if (!strchr(table[i].name, '_')) assert_name(upper, table[i].name);
        assert_name(table[i].name, table[i].name);
    }
    assert_name("GeT", "get");
    assert_name("A_B", "a_b");
    assert_name("GEORADIUSBYMEMBER_RO", "georadiusbymember_ro");
}

static void other_names_are_not_found(void **state)
{
    static const char *const names[] = {"",
                                        "g",
                                        "ge",
                                        "gett",
                                        "lpus",
                                        "lpushx",
                                        "nosuchcommand",
                                        "a\x7f"
                                        "b",
                                        "georadiusXXmember_ro",
                                        "client|list"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_name(names[i], NULL);
    assert_null(command_lookup(slice_of("ge\0", 3)));
    assert_null(command_lookup(slice_of("GE\x14", 3))); /* folds to what T folds to, less a bit */
}

static void subcommands_are_found_below_their_container(void **state)
{
    const struct slice argv[] = {SLICE("CLIENT"), SLICE("List"), SLICE("x")};
    const struct slice bad[] = {SLICE("CLIENT"), SLICE("nosuch")};
    const struct command *container, *cmd = command_find(3, argv, &container);
    assert_string_equal(cmd->full_name, "client|list");
    assert_ptr_equal(cmd->parent, container);
    assert_string_equal(container->name, "client");
    assert_null(command_find(2, bad, &container));
    assert_non_null(container);
    assert_ptr_equal(command_find(1, argv, &container), container);
    assert_ptr_equal(command_by_id(cmd->id), cmd);
}

static void every_command_has_an_id_of_its_own(void **state)
{
    assert_int_equal(commands_count(), ARRAY_LEN(table) - 1 + 2);
    for (uint32_t id = 0; id < commands_count(); id++)
        assert_int_equal(command_by_id(id)->id, id);
    assert_null(command_by_id(commands_count()));
}

static void renamed_commands_are_found_by_the_new_name_only(void **state)
{
    assert_true(commands_rename("old", "secret"));
    assert_name("old", NULL);
    assert_name("SECRET", "old");
    assert_true(commands_rename("gone", ""));
    assert_name("gone", NULL);
    assert_false(commands_rename("gone", "x1"));
    assert_false(commands_rename("get", "mget"));
    assert_name("get", "get");
}

static void collect(const struct command *cmd, void *arg)
{
    buf_addf(arg, "%s ", cmd->name);
}

static void commands_are_listed_by_name(void **state)
{
    struct buf b = {0};
    commands_each(collect, &b);
    assert_string_equal(buf_cstr(&b),
                        "a_b append blpop client flush found georadiusbymember_ro get "
                        "halves lmpop lpush mget mset old store varies walk x ");
    buf_free(&b);
}

static void arity_is_exact_or_a_minimum(void **state)
{
    assert_true(command_arity_ok(lookup("get"), 2));
    assert_false(command_arity_ok(lookup("get"), 3));
    assert_false(command_arity_ok(lookup("get"), 1));
    assert_true(command_arity_ok(lookup("mget"), 9));
    assert_false(command_arity_ok(lookup("mget"), 1));
}

static void categories_follow_from_flags(void **state)
{
    const struct slice kill[] = {SLICE("client"), SLICE("kill")};
    assert_int_equal(command_acl(lookup("get")), ACL_READ | ACL_FAST);
    assert_int_equal(command_acl(lookup("append")), ACL_WRITE | ACL_SLOW);
    assert_int_equal(command_acl(lookup("blpop")), ACL_WRITE | ACL_SLOW | ACL_BLOCKING);
    assert_int_equal(command_acl(command_find(2, kill, NULL)),
                     ACL_ADMIN | ACL_DANGEROUS | ACL_SLOW);
}

static void keys_are_found_by_their_specification(void **state)
{
    assert_keys("get a", "1");
    assert_keys("x", "");
    assert_keys("mget a b c", "1 2 3");
    assert_keys("mset a 1 b 2", "1 3");
    assert_keys("blpop a b 0", "1 2");
    assert_keys("lmpop 2 a b LEFT", "2 3");
    assert_keys("lmpop 0 a LEFT", "");
    assert_keys("lmpop 3 a b", "invalid");
    assert_keys("lmpop -1 a b", "invalid");
    assert_keys("lmpop x a b", "invalid");
    assert_keys("lmpop 99999999999999999999 a b", "invalid");
    assert_keys("store a store b", "1 3");
    assert_keys("store a limit b", "1");
    assert_keys("halves BLOCK 1 STREAMS a b 0 0", "4 5");
    assert_keys("found a x b", "1 3");
    assert_keys("found a", "invalid");
}

static void key_flags_are_those_of_the_specification(void **state)
{
    const struct slice store[] = {SLICE("store"), SLICE("a"), SLICE("STORE"), SLICE("b")};
    const struct slice found[] = {SLICE("found"), SLICE("a"), SLICE("b")};
    struct key_ref refs[2];
    assert_int_equal(command_keys(lookup("store"), 4, store, refs, 2), 2);
    assert_int_equal(refs[0].flags, KEY_RO);
    assert_int_equal(refs[1].flags, KEY_OW);
    assert_int_equal(command_keys(lookup("found"), 3, found, refs, 2), 2);
    assert_int_equal(refs[0].flags, KEY_RO);
    assert_int_equal(refs[1].flags, KEY_OW);
    command_keys(lookup("varies"), 3, found, refs, 2);
    assert_int_equal(refs[0].flags, KEY_RW);
    command_keys(lookup("varies"), 2, found, refs, 2);
    assert_int_equal(refs[0].flags, KEY_OW);
}

static void shapes_follow_from_the_declaration(void **state)
{
    assert_int_equal(lookup("get")->shape, SHAPE_ONE);
    assert_int_equal(lookup("get")->key_at, 1);
    assert_int_equal(lookup("blpop")->shape, SHAPE_KEYS);
    assert_int_equal(lookup("store")->shape, SHAPE_KEYS);
    assert_int_equal(lookup("found")->shape, SHAPE_KEYS);
    assert_int_equal(lookup("flush")->shape, SHAPE_ALL);
    assert_int_equal(lookup("walk")->shape, SHAPE_KEYLESS);
    assert_true(lookup("lpush")->may_ready);
    assert_false(lookup("append")->may_ready);
    assert_false(lookup("get")->may_ready);
    assert_true(lookup("lmpop")->flags & CMD_MOVABLEKEYS);
    assert_false(lookup("mset")->flags & CMD_MOVABLEKEYS);
}

static void hashed_keys_come_in_any_number(void **state)
{
    struct slice argv[41] = {SLICE("mget")};
    char names[41][8];
    struct key_list list;
    for (int i = 1; i <= 40; i++) {
        snprintf(names[i], sizeof names[i], "key%d", i);
        argv[i] = slice_str(names[i]);
    }
    for (uint32_t argc = 2; argc <= 41; argc++) {
        key_list_of(&list, lookup("mget"), argc, argv);
        assert_int_equal(list.n, argc - 1);
        for (uint32_t i = 0; i < list.n; i++)
            assert_true(slice_eq(list.keys[i].s, argv[i + 1]));
        key_list_free(&list);
    }
}

static int setup(void **state)
{
    const struct keyspace_config config = {.partitions = 4, .databases = 1};
    clock_init();
    hash_init();
    keyspace_init(&config);
    commands_register(table);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_in_any_case),
        cmocka_unit_test(other_names_are_not_found),
        cmocka_unit_test(subcommands_are_found_below_their_container),
        cmocka_unit_test(every_command_has_an_id_of_its_own),
        cmocka_unit_test(renamed_commands_are_found_by_the_new_name_only),
        cmocka_unit_test(commands_are_listed_by_name),
        cmocka_unit_test(arity_is_exact_or_a_minimum),
        cmocka_unit_test(categories_follow_from_flags),
        cmocka_unit_test(keys_are_found_by_their_specification),
        cmocka_unit_test(key_flags_are_those_of_the_specification),
        cmocka_unit_test(shapes_follow_from_the_declaration),
        cmocka_unit_test(hashed_keys_come_in_any_number),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
