/* base_glob.c - patterns: the table of cases, agreement with a plain recursive matcher, hostile
 * ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static bool match(const char *pattern, const char *text)
{
    return glob_match(slice_str(pattern), slice_str(text), false);
}

static void cases(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } list[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "a", true},
        {"*", "abc", true},
        {"**", "abc", true},
        {"a*", "a", true},
        {"a**", "a", true},
        {"*a", "a", true},
        {"a*c", "abbbc", true},
        {"a*c", "abbb", false},
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"?", "a", true},
        {"??", "a", false},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hello", false},
        {"h[^e]llo", "hallo", true},
        {"h[a-c]llo", "hbllo", true},
        {"h[a-c]llo", "hdllo", false},
        {"h[c-a]llo", "hbllo", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
        {"[\\]]", "]", true},
        {"[\\-a]", "-", true},
        {"[abc", "b", true},
        {"[abc", "d", false},
        {"[", "a", false},
        {"[^", "a", true},
        {"[]", "a", false},
        {"[^]", "a", true},
        {"[a-]x]", "^", true}, /* from 'a' to ']', turned around */
        {"*[0-9]", "key7", true},
        {"*[0-9]", "key", false},
        {"*foo*bar*", "xfooybarz", true},
        {"*foo*bar*", "xbarfoo", false},
        {"*ab", "aab", true},
        {"*aab", "aaab", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        if (match(list[i].pattern, list[i].text) == list[i].matches) continue;
        fail_msg("%s on %s", list[i].pattern, list[i].text);
    }
}

static void without_case(void **state)
{
    assert_true(glob_match(SLICE("HeL*o"), SLICE("hEllO"), true));
    assert_true(glob_match(SLICE("[A-C]x"), SLICE("bX"), true));
    assert_true(glob_match(SLICE("*Z"), SLICE("abz"), true));
    assert_false(glob_match(SLICE("HeL*o"), SLICE("hEllO"), false));
    assert_false(glob_match(SLICE("[A-C]x"), SLICE("bx"), false));
}

static void binary_safe(void **state)
{
    assert_true(glob_match(slice_of("a\0*", 3), slice_of("a\0b\0", 4), false));
    assert_false(glob_match(slice_of("a\0b", 3), slice_of("a\0c", 3), false));
    assert_true(glob_match(slice_of("\xff*", 2), slice_of("\xff\xfe", 2), false));
}

/* The definition, for patterns of letters, '?' and '*'. */
static bool plain_match(const char *p, const char *t)
{
    if (*p == '*') return plain_match(p + 1, t) || (*t && plain_match(p, t + 1));
    if (!*t) return !*p;
    return (*p == '?' || *p == *t) && *p && plain_match(p + 1, t + 1);
}

static void random_word(char *out, const char *letters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = letters[rand_below(strlen(letters))];
    out[n] = '\0';
}

static void agrees_with_the_definition(void **state)
{
    char pattern[16], text[16];
    for (int i = 0; i < 200000; i++) {
        random_word(pattern, "aab?*", 1 + rand_below(8));
        random_word(text, "ab", 1 + rand_below(10));
        if (match(pattern, text) != plain_match(pattern, text)) fail_msg("%s on %s", pattern, text);
    }
}

/* An exponential matcher needs longer than the universe has. */
static void hostile_patterns_end(void **state)
{
    struct buf pattern = {0}, text = {0};
    for (int i = 0; i < 200; i++)
        buf_addz(&pattern, "a*");
    buf_addc(&pattern, 'b');
    for (int i = 0; i < 5000; i++)
        buf_addc(&text, 'a');
    assert_false(glob_match(buf_slice(&pattern), buf_slice(&text), false));
    assert_false(glob_match(buf_slice(&pattern), buf_slice(&text), true));
    buf_addc(&text, 'b');
    assert_true(glob_match(buf_slice(&pattern), buf_slice(&text), false));
    buf_free(&pattern);
    buf_free(&text);
}

static void no_more_stars_than_redis_takes(void **state)
{
    struct buf pattern = {0}, text = {0};
    for (int i = 0; i < 1000; i++)
        buf_addz(&pattern, "*?"), buf_addc(&text, 'a');
    assert_true(glob_match(buf_slice(&pattern), buf_slice(&text), false));
    buf_addz(&pattern, "*?");
    buf_addc(&text, 'a');
    assert_false(glob_match(buf_slice(&pattern), buf_slice(&text), false));
    buf_free(&pattern);
    buf_free(&text);
}

/* The slices end where an allocation ends, so that an address sanitizer sees a step too far. */
static void stays_in_bounds(void **state)
{
    for (int i = 0; i < 100000; i++) {
        char word[16];
        size_t pn = 1 + rand_below(6), tn = 1 + rand_below(6);
        random_word(word, "a*?[]^-\\", pn);
        char *pattern = mem_dup(word, pn);
        random_word(word, "a]-^", tn);
        char *text = mem_dup(word, tn);
        glob_match(slice_of(pattern, pn), slice_of(text, tn), i & 1);
        mem_free(pattern);
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases),
        cmocka_unit_test(without_case),
        cmocka_unit_test(binary_safe),
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(hostile_patterns_end),
        cmocka_unit_test(no_more_stars_than_redis_takes),
        cmocka_unit_test(stays_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
