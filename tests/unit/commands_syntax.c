/*
 * commands_syntax.c - syntax texts and the trees they become, written out in one line each: a node
 * is TOKEN>name:type with its flags behind (? optional, * multiple, + multiple_token), groups have
 * their children in brackets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/commands_internal.h"

static void print_list(struct buf *b, const struct syntax_node *n)
{
    for (; n; n = n->next) {
        static const char kinds[] = {'a', 't', 'o', 'b'};
        buf_addc(b, kinds[n->kind]);
        buf_addc(b, ' ');
        if (n->token.n) buf_addf(b, "%.*s>", (int)n->token.n, n->token.p);
        if (n->name.n) buf_add(b, n->name.p, n->name.n);
        if (n->kind == SYNTAX_ARG) buf_addf(b, ":%.*s", (int)n->type.n, n->type.p);
        buf_addf(b, "%s%s%s", n->optional ? "?" : "", n->multiple ? "*" : "",
                 n->multiple_token ? "+" : "");
        if (n->children) {
            buf_addz(b, "{");
            print_list(b, n->children);
            buf_addz(b, "}");
        }
        if (n->next) buf_addz(b, ", ");
    }
}

static void becomes(const char *text, const char *tree)
{
    const char *error;
    struct buf b = {0};
    struct syntax_node *list = syntax_parse(text, &error);
    print_list(&b, list);
    assert_string_equal(buf_cstr(&b), tree);
    assert_null(error);
    syntax_free(list);
    buf_free(&b);
}

static void is_malformed_at(const char *text, size_t offset)
{
    const char *error = NULL;
    assert_null(syntax_parse(text, &error));
    assert_non_null(error);
    assert_int_equal(error - text, offset);
}

static void words_are_arguments_with_types(void **state)
{
    becomes("", "");
    becomes("key", "a key:key");
    becomes("source:key value", "a source:key, a value:string");
    becomes("pattern increment:double", "a pattern:pattern, a increment:double");
}

static void tokens_stand_alone_or_before_an_argument(void **state)
{
    becomes("NX", "t NX>");
    becomes("EX seconds:integer", "a EX>seconds:integer");
    becomes("NX XX", "t NX>, t XX>");
    becomes("LIMIT (offset:integer count:integer)", "b LIMIT>{a offset:integer, a count:integer}");
    becomes("FILTERBY by(A x|B)", "o FILTERBY>by{a A>x:string, t B>}");
}

static void groups_are_optional_or_not(void **state)
{
    becomes("key [count:integer]", "a key:key, a count:integer?");
    becomes("[NX|XX] [GET]", "o ?{t NX>, t XX>}, t GET>?");
    becomes("where(BEFORE|AFTER) pivot", "o where{t BEFORE>, t AFTER>}, a pivot:string");
    becomes("(a)", "a a:string");
    becomes("[a b|c]", "o ?{b {a a:string, a b:string}, a c:string}");
    becomes("[a [b]]", "b ?{a a:string, a b:string?}");
}

static void dots_make_it_multiple(void **state)
{
    becomes("key...", "a key:key*");
    becomes("key ...", "a key:key*");
    becomes("(key value)...", "b *{a key:key, a value:string}");
    becomes("[command-name...]", "a command-name:string?*");
}

static void repeating_what_stands_before_makes_it_multiple(void **state)
{
    becomes("key [key ...]", "a key:key*");
    becomes("key value [key value ...]", "b *{a key:key, a value:string}");
    becomes("[GET pattern [GET pattern ...]] x", "a GET>pattern:pattern?*+, a x:string");
    becomes("a key [key ...] b", "a a:string, a key:key*, a b:string");
    becomes("key [value ...]", "a key:key, a value:string?*");
}

static void malformed_texts_say_where(void **state)
{
    is_malformed_at("key [a", 6);
    is_malformed_at("key )", 4);
    is_malformed_at("[a)", 2);
    is_malformed_at("a|", 2);
    is_malformed_at("[]", 1);
}

/* What a client sees of it. */
static void docs_show_the_tree(void **state)
{
    const struct command cmd = {.name = "x",
                                .syntax = "key [EX seconds:integer|KEEP]",
                                .keys = {{.find = KEYS_RANGE, .first = 1, .step = 1}}};
    struct reply r;
    struct buf b = {0};
    reply_init(&r);
    syntax_reply(&r, &cmd);
    reply_copy_out(&r, &b);
    assert_string_equal(buf_cstr(&b),
                        "*2\r\n"
                        "*8\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n"
                        "$12\r\ndisplay_text\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n"
                        "*8\r\n$4\r\nname\r\n$12\r\nseconds_keep\r\n$4\r\ntype\r\n$5\r\noneof\r\n"
                        "$5\r\nflags\r\n*1\r\n+optional\r\n$9\r\narguments\r\n*2\r\n"
                        "*8\r\n$4\r\nname\r\n$7\r\nseconds\r\n$4\r\ntype\r\n$7\r\ninteger\r\n"
                        "$12\r\ndisplay_text\r\n$7\r\nseconds\r\n$5\r\ntoken\r\n$2\r\nEX\r\n"
                        "*6\r\n$4\r\nname\r\n$4\r\nkeep\r\n$4\r\ntype\r\n$10\r\npure-token\r\n"
                        "$5\r\ntoken\r\n$4\r\nKEEP\r\n");
    reply_clear(&r);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_arguments_with_types),
        cmocka_unit_test(tokens_stand_alone_or_before_an_argument),
        cmocka_unit_test(groups_are_optional_or_not),
        cmocka_unit_test(dots_make_it_multiple),
        cmocka_unit_test(repeating_what_stands_before_makes_it_multiple),
        cmocka_unit_test(malformed_texts_say_where),
        cmocka_unit_test(docs_show_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
