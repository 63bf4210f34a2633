/*
 * differential.c - random commands to the server under test and to redis-server, reply by reply.
 *
 *   differential [--seed N] [--count N] [--server PROGRAM] [--reference PROGRAM] [--server-args
 * "ARGS"]
 *                [--show N]
 *
 * Both servers get the same commands over two connections each, one RESP2 and one RESP3, in
 * batches. Every reply is compared byte by byte; where order or time may differ (KEYS, TTL) the
 * comparison says how. Every few thousand commands, and at the end, all data is compared too: keys,
 * types, values, expiries, encodings. What is known to differ stands in the table `known`, with the
 * reason.
 *
 * A run without a mismatch is one test passed; a mismatch prints the command, both replies and the
 * seed, and is one failed; ten end the run. --show prints the commands before number N.
 */
#include "testing.h"
#include "templates.h"

#define BATCH          32
#define MAX_ARGS       24
#define LINKS          2
#define MAX_MISMATCHES 10
#define CHECK_EVERY    5000
#define DATABASES      4

/* Bytes that grow. */
struct text {
    char *p;
    size_t len, cap;
};

/* One connection: bytes read and not yet taken. */
struct link {
    int fd;
    struct text in;
    size_t pos;
};

struct command {
    int argc;
    struct text argv[MAX_ARGS];
};

/* How a reply is compared: SORTED without regard to the order of its elements, SORTED_PAIRS of its
 * pairs (fields and values, also of a map), SCANNED and SCANNED_PAIRS the same of the second part
 * of a SCAN's reply; LENGTH: aggregates are of one length, else as SHAPE. */
enum how {
    EXACT,
    SORTED,
    SORTED_PAIRS,
    SCANNED,
    SCANNED_PAIRS,
    NEAR_SECONDS,
    NEAR_MS,
    SHAPE,
    LENGTH,
};

/* What is not EXACT: by command. */
static const struct {
    const char *command;
    enum how how;
} compared[] = {
    {"keys", SORTED},
    {"ttl", NEAR_SECONDS},
    {"expiretime", NEAR_SECONDS},
    {"pttl", NEAR_MS},
    {"pexpiretime", NEAR_MS},
    {"randomkey", SHAPE},
    {"scan", SHAPE},
    {"client", SHAPE},
    {"dbsize", NEAR_SECONDS}, /* SET with a time in the past may leave the key a while */
    /* sets */
    {"smembers", SORTED},
    {"sinter", SORTED},
    {"sunion", SORTED},
    {"sdiff", SORTED},
    {"spop", SORTED}, /* it is asked for all or nothing */
    {"srandmember", LENGTH},
    {"sscan", SCANNED},
    /* hashes */
    {"hgetall", SORTED_PAIRS},
    {"hkeys", SORTED},
    {"hvals", SORTED},
    {"hrandfield", LENGTH},
    {"hscan", SCANNED_PAIRS},
    /* places */
    {"geosearch", SORTED},
    {"georadius", SORTED},
    {"georadius_ro", SORTED},
    {"georadiusbymember", SORTED},
    {"georadiusbymember_ro", SORTED},
    /* sorted sets */
    {"zrandmember", LENGTH},
    {"zscan", SCANNED_PAIRS},
};

/* How all of a value is read, by its type. */
static const struct {
    const char *type, *command;
    enum how how;
} readers[] = {
    {"+string", "GET", EXACT},          {"+list", "LRANGE", EXACT}, {"+set", "SMEMBERS", SORTED},
    {"+hash", "HGETALL", SORTED_PAIRS}, {"+zset", "ZRANGE", EXACT}, {"+stream", "XRANGE", EXACT},
};

struct known {
    const char *command;
    const char *reference, *ours; /* how the replies begin */
    const char *reason;
};

static const struct known known[] = {
    {"object", "$9\r\nquicklist", "$8\r\nlistpack", "since 7.2 a small list is one listpack"},
    {"getrange", "$1\r\n", "$0\r\n",
     "a range that ends before the string: 7.0 gives its first byte"},
    {"substr", "$1\r\n", "$0\r\n", "like getrange"},
    {"lpos", "", "-ERR value is out of range", "since 7.2 the smallest rank is refused"},
    {"object", "$9\r\nhashtable", "$8\r\nlistpack", "since 7.2 a small set is one listpack"},
    {"object", "$8\r\nskiplist", "$8\r\nlistpack", "there SORT unpacks a sorted set for good"},
    {"object", "$6\r\nembstr", "$3\r\nint",
     "INCRBYFLOAT leaves a whole number as a number here, as its text there"},
    {"blpop", "-ERR timeout is negative", "-ERR timeout is out of range",
     "7.0 names a huge timeout so"},
    {"brpop", "-ERR timeout is negative", "-ERR timeout is out of range", "like blpop"},
    {"lrem", "", "-ERR value is out of range", "since 7.2 the smallest count is refused"},
    {"expire", "-ERR Unsupported option", "-ERR Unsupported option",
     "long arguments are cut in errors"},
    {"pexpire", "-ERR Unsupported option", "-ERR Unsupported option",
     "long arguments are cut in errors"},
    {"expireat", "-ERR Unsupported option", "-ERR Unsupported option",
     "long arguments are cut in errors"},
    {"pexpireat", "-ERR Unsupported option", "-ERR Unsupported option",
     "long arguments are cut in errors"},
    {"sort", "-ERR One or more scores", "",
     "7.0 looks at an errno that an earlier command may have left"},
    {"sort_ro", "-ERR One or more scores", "", "like sort"},
    {"xgroup", ":1", ":0", "7.0 makes no consumer where it reads or claims nothing"},
    {"xread", "-ERR Invalid stream ID", "", "the ID + is new in 7.4"},
    {"xread", "-ERR Unbalanced", "-ERR Unbalanced", "worded anew since 7.2"},
    {"xreadgroup", "-ERR Unbalanced", "-ERR Unbalanced", "worded anew since 7.2"},
};

/* What a connection has queued since MULTI, to compare the elements of EXEC. */
struct queued {
    enum how *how;
    size_t n, cap;
    bool open;
};

static struct server servers[2]; /* under test, reference */
static struct link links[2][LINKS];
static struct queued queued[LINKS];
static uint64_t rng, seed;
static int64_t base_time;
static long sent, mismatches, tolerated, show_from = -1;

/* ---- bytes ---------------------------------------------------------------------------------- */

static void text_add(struct text *t, const char *p, size_t n)
{
    if (t->len + n + 1 > t->cap) {
        t->cap = (t->len + n + 1) * 2;
        t->p = realloc(t->p, t->cap);
    }
    memcpy(t->p + t->len, p, n);
    t->len += n;
    t->p[t->len] = '\0';
}

static void text_addz(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

static void text_printable(const char *p, size_t n)
{
    size_t shown = n > 400 ? 400 : n;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '\r')
            printf("\\r");
        else if (c == '\n')
            printf("\\n");
        else if (c < 32 || c > 126 || c == '\\')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    if (n > shown) printf("... (%zu bytes)", n);
}

/* ---- chance --------------------------------------------------------------------------------- */

static uint64_t random_bits(void)
{
    rng += 0x9e3779b97f4a7c15u;
    uint64_t z = rng;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static long below(long n)
{
    return (long)(random_bits() % (uint64_t)n);
}

static bool one_in(long n)
{
    return below(n) == 0;
}

#define PICK(array) array[below((long)(sizeof array / sizeof *array))]

/* ---- arguments ------------------------------------------------------------------------------ */

static void add_number(struct text *t, int64_t v)
{
    char buf[32];
    text_add(t, buf, (size_t)snprintf(buf, sizeof buf, "%lld", (long long)v));
}

static void add_key(struct text *t, char kind)
{
    static const char kinds[] = "sslllmSSHHZZXX";
    /* Places keep to themselves: other scores lie at a pole, where 7.0 does not find all. */
    if (kind != 'c' && kind != 'Y' && kind != 'G' && (kind == 'k' || one_in(8))) kind = PICK(kinds);
    if (kind == '\0') kind = 'm';
    if (kind != 'Y' && one_in(60)) return; /* the empty key */
    text_add(t, &kind, 1);
    add_number(t, below(8));
    if (one_in(8)) text_addz(t, "{tag}");
}

static void add_integer(struct text *t)
{
    static const char *const edges[] = {"0",
                                        "1",
                                        "-1",
                                        "2",
                                        "10",
                                        "100",
                                        "-100",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "4294967296",
                                        "-4294967296",
                                        "2147483647",
                                        "abc",
                                        "",
                                        "1.5",
                                        " 1",
                                        "01",
                                        "+1",
                                        "-0",
                                        "1e3",
                                        "18446744073709551616",
                                        "99999999999999999999999"};
    if (one_in(2))
        add_number(t, below(2000) - 1000);
    else
        text_addz(t, PICK(edges));
}

/* A bad time, a past one, or one that overflows; never one that passes while the test runs. */
static void add_no_time(struct text *t)
{
    static const char *const edges[] = {"0",
                                        "-1",
                                        "-100",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "9223372036854776",
                                        "9223370000000000000",
                                        "abc",
                                        "",
                                        "1.5",
                                        " 1",
                                        "+1",
                                        "1e3",
                                        "18446744073709551616"};
    text_addz(t, PICK(edges));
}

static void add_float(struct text *t)
{
    static const char *const edges[] = {"0",
                                        "1",
                                        "-1",
                                        "0.1",
                                        "1.5",
                                        "-2.25",
                                        "3.0e3",
                                        "1e-5",
                                        "1e17",
                                        "123456789.5",
                                        "abc",
                                        "",
                                        "nan",
                                        "inf",
                                        "-inf",
                                        " 1",
                                        "1 ",
                                        "1e309",
                                        "0x10",
                                        "-0",
                                        ".5",
                                        "5.",
                                        "1e-400",
                                        "9007199254740993",
                                        "0.30000000000000004",
                                        "+3"};
    text_addz(t, PICK(edges));
}

/* Halves and quarters, exact in any sum of them. */
static void add_score(struct text *t)
{
    static const char *const edges[] = {"0",   "-0",    "inf",  "-inf", "+inf",
                                        "0.5", "-2.25", "1.75", "1e3",  "0x10",
                                        ".5",  "5.",    "+3",   "100",  "1024"};
    static const char *const bad[] = {"abc", "", "nan", " 1", "1 ", "1e309", "("};
    if (one_in(60))
        text_addz(t, PICK(bad));
    else if (one_in(4))
        text_addz(t, PICK(edges));
    else
        add_number(t, below(40) - 10);
}

static void add_score_bound(struct text *t)
{
    if (one_in(4)) text_addz(t, "(");
    if (one_in(4))
        text_addz(t, one_in(2) ? "-inf" : "+inf");
    else
        add_score(t);
}

/* Crowded around zero, where most are. Far from the poles, near which 7.0 misses some. */
static void add_coordinate(struct text *t, int max)
{
    static const char *const bad[] = {"181", "-181", "abc", "", "nan", "inf"};
    char buf[32];
    if (one_in(60))
        text_addz(t, PICK(bad));
    else {
        double range = one_in(2) ? max : 2, v = (double)below(2000001) / 1000000 - 1;
        text_add(t, buf, (size_t)snprintf(buf, sizeof buf, "%.6f", v * range));
    }
}

static void add_length(struct text *t)
{
    static const char *const edges[] = {"0", "-1", "abc", "", "nan"};
    static const int lengths[] = {1, 10, 50, 100, 200, 500, 1000};
    if (one_in(20))
        text_addz(t, PICK(edges));
    else
        add_number(t, PICK(lengths));
}

static void add_element(struct text *t);

static void add_lex_bound(struct text *t)
{
    static const char *const edges[] = {"-", "+", "[", "(", "", "a", "[e", "(e1", "-1", "+x"};
    if (one_in(3)) {
        text_addz(t, PICK(edges));
        return;
    }
    text_addz(t, one_in(2) ? "[" : "(");
    add_element(t);
}

static void add_value(struct text *t)
{
    static const int sizes[] = {11, 12,  20,  43,  44,   45,   63,  64,
                                65, 100, 255, 256, 1000, 4096, 9000};
    char byte;
    switch (below(8)) {
    case 0: add_integer(t); return;
    case 1: add_float(t); return;
    case 2:
        for (int n = PICK(sizes), i = 0; i < n; i++)
            text_add(t, "abcdefghij" + i % 10, 1);
        return;
    case 3:
        for (long n = below(40); n > 0; n--) {
            byte = (char)below(256);
            text_add(t, &byte, 1);
        }
        return;
    case 4: add_number(t, (int64_t)random_bits()); return;
    default: text_addz(t, "value"); add_number(t, below(100));
    }
}

static void add_short(struct text *t)
{
    for (long n = below(24); n > 0; n--)
        text_add(t, "abcdXY" + below(6), 1);
}

static void add_element(struct text *t)
{
    if (one_in(12))
        add_value(t);
    else if (one_in(3))
        add_number(t, below(20));
    else {
        text_addz(t, "e");
        add_number(t, below(12));
    }
}

/* Relative or absolute, in seconds or milliseconds. See templates.h for why so far apart. */
static void add_time(struct text *t, bool absolute, bool ms)
{
    int64_t s = 10000 + below(1000000) * 10;
    if (one_in(10))
        s = absolute ? 1 : -1;
    else if (absolute)
        s += base_time;
    add_number(t, ms ? s * 1000 : s);
}

static void add_offset(struct text *t)
{
    static const char *const edges[] = {"-1",  "536870912", "9223372036854775807",
                                        "abc", "",          "536870911"};
    if (one_in(20))
        text_addz(t, edges[below(5)]);
    else
        add_number(t, below(60));
}

static void add_pattern(struct text *t)
{
    static const char *const patterns[] = {"*",      "s*",   "l?",  "[sl]*",   "[^s]*",
                                           "*{tag}", "none", "",    "m[0-3]*", "\\l*",
                                           "l[",     "*1*",  "[a-", "?"};
    text_addz(t, PICK(patterns));
}

static void add_stream_id(struct text *t)
{
    static const char *const edges[] = {"0",
                                        "0-0",
                                        "-",
                                        "+",
                                        "007-01",
                                        "1-",
                                        "-1",
                                        "1-2-3",
                                        "18446744073709551615-18446744073709551615",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        " 1-1",
                                        "abc",
                                        ""};
    if (one_in(60)) {
        text_addz(t, PICK(edges));
        return;
    }
    add_number(t, below(40));
    if (one_in(4)) return;
    text_addz(t, "-");
    add_number(t, below(5));
}

static void add_range_end(struct text *t)
{
    static const char *const ends[] = {"-", "+", "-", "+", "(-", "("};
    if (one_in(3)) {
        text_addz(t, PICK(ends));
        return;
    }
    if (one_in(3)) text_addz(t, "(");
    add_stream_id(t);
}

static void add_dollar(struct text *t, char kind)
{
    switch (kind) {
    case 'k':
    case 's':
    case 'l':
    case 'S':
    case 'H':
    case 'Z':
    case 'G':
    case 'Y':
    case 'X':
    case 'c': add_key(t, kind); break;
    case 'v': add_value(t); break;
    case 'x': add_short(t); break;
    case 'e': add_element(t); break;
    case 'q': add_score(t); break;
    case 'O': add_coordinate(t, 140); break;
    case 'P': add_coordinate(t, 60); break;
    case 'R': add_length(t); break;
    case 'b': add_score_bound(t); break;
    case 'L': add_lex_bound(t); break;
    case 'i': add_integer(t); break;
    case 'j': add_no_time(t); break;
    case 'n': one_in(30) ? add_integer(t) : add_number(t, below(30) - 12); break;
    case 'u': one_in(10) ? add_integer(t) : add_number(t, below(8)); break;
    case 'o': add_offset(t); break;
    case 'f': add_float(t); break;
    case 't': add_time(t, false, false); break;
    case 'm': add_time(t, false, true); break;
    case 'T': add_time(t, true, false); break;
    case 'M': add_time(t, true, true); break;
    case 'I': add_stream_id(t); break;
    case 'r': add_range_end(t); break;
    case 'A': add_number(t, below(40)), text_addz(t, "-*"); break;
    case 'g': text_addz(t, one_in(20) ? "none" : one_in(3) ? "g2" : "g1"); break;
    case 'h': text_addz(t, one_in(3) ? "carol" : one_in(2) ? "bob" : "alice"); break;
    case 'd': add_number(t, below(DATABASES)); break;
    case 'w': text_addz(t, one_in(2) ? "LEFT" : one_in(8) ? "right" : "RIGHT"); break;
    case 'p': add_pattern(t); break;
    default: abort();
    }
}

/* ---- templates ------------------------------------------------------------------------------ */

/* The end of the group that begins at p, behind its closing bracket. */
static const char *group_end(const char *p)
{
    int depth = 0;
    do {
        if (strchr("([{", *p)) depth++;
        if (strchr(")]}", *p)) depth--;
    } while (*p++ && depth);
    return p;
}

static void expand(struct command *cmd, const char *p, const char *end);

/* One of the alternatives between p and end. */
static void expand_choice(struct command *cmd, const char *p, const char *end)
{
    const char *from[16], *to[16];
    int n = 0;
    for (from[0] = p; p < end; p++) {
        if (strchr("([{", *p))
            p = group_end(p) - 1;
        else if (*p == '|') {
            to[n++] = p;
            from[n] = p + 1;
        }
    }
    to[n++] = end;
    int i = (int)below(n);
    expand(cmd, from[i], to[i]);
}

static struct text *new_argument(struct command *cmd)
{
    if (cmd->argc == MAX_ARGS) cmd->argc--;
    struct text *t = &cmd->argv[cmd->argc++];
    t->len = 0;
    text_add(t, "", 0);
    return t;
}

static const char *expand_group(struct command *cmd, const char *p)
{
    const char *end = group_end(p);
    if (*p == '(')
        expand_choice(cmd, p + 1, end - 1);
    else if (*p == '[' && one_in(2))
        expand_choice(cmd, p + 1, end - 1);
    else if (*p == '{') {
        for (long n = 1 + below(4); n > 0; n--)
            expand(cmd, p + 1, end - 1);
    }
    return end;
}

static void expand(struct command *cmd, const char *p, const char *end)
{
    while (p < end) {
        if (*p == ' ')
            p++;
        else if (strchr("([{", *p))
            p = expand_group(cmd, p);
        else if (*p == '$') {
            add_dollar(new_argument(cmd), p[1]);
            p += 2;
        } else {
            struct text *t = new_argument(cmd);
            for (; p < end && *p != ' '; p++) {
                if (*p == '\\') p++;
                text_add(t, *p == 's' && p[-1] == '\\' ? " " : p, 1);
            }
        }
    }
}

/* Now and then an argument is lost, doubled or replaced. */
static void mutate(struct command *cmd)
{
    if (cmd->argc < 2 || !one_in(40)) return;
    int at = 1 + (int)below(cmd->argc - 1);
    struct text *t = &cmd->argv[at];
    switch (below(3)) {
    case 0: cmd->argc--; break;
    case 1: add_value(new_argument(cmd)); break;
    default:
        t->len = 0;
        text_add(t, "", 0);
        add_short(t);
    }
}

static bool is(const struct command *cmd, const char *name)
{
    return strcasecmp(cmd->argv[0].p, name) == 0;
}

static void generate(struct command *cmd, bool in_multi)
{
    static int total;
    if (total == 0) {
        for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
            total += templates[i].weight;
    }
    cmd->argc = 0;
    if (in_multi && one_in(6)) {
        expand(cmd, "EXEC", "EXEC" + 4);
        return;
    }
    long left = below(total);
    const struct template *t = templates;
    while ((left -= t->weight) >= 0)
        t++;
    expand(cmd, t->text, t->text + strlen(t->text));
    /* What may wait has its timeout last: a mutation would make it wait long. Without its count
     * SPOP would pop what it likes. ZRANK may have one more since 7.2. A huge count of random
     * members would take as long, and a small one of a scan is a matter of the table. */
    bool fixed = is(cmd, "spop") || is(cmd, "zrank") || is(cmd, "zrevrank") ||
                 is(cmd, "srandmember") || is(cmd, "hrandfield") || is(cmd, "zrandmember") ||
                 is(cmd, "sscan") || is(cmd, "hscan") || is(cmd, "zscan");
    if (cmd->argv[0].p[0] != 'B' && !fixed) mutate(cmd);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void link_open(struct link *ln, int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval tv = {20 * slow_factor(), 0};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ln->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ln->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (connect(ln->fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        perror("connect");
        exit(2);
    }
}

static void link_send(struct link *ln, const struct text *t)
{
    for (size_t done = 0; done < t->len;) {
        ssize_t n = write(ln->fd, t->p + done, t->len - done);
        if (n < 0) {
            perror("write");
            exit(1);
        }
        done += (size_t)n;
    }
}

static bool link_fill(struct link *ln)
{
    char buf[65536];
    ssize_t n = read(ln->fd, buf, sizeof buf);
    if (n <= 0) return false;
    text_add(&ln->in, buf, (size_t)n);
    return true;
}

static void command_bytes(const struct command *cmd, struct text *out)
{
    char head[32];
    text_add(out, head, (size_t)snprintf(head, sizeof head, "*%d\r\n", cmd->argc));
    for (int i = 0; i < cmd->argc; i++) {
        text_add(out, head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", cmd->argv[i].len));
        text_add(out, cmd->argv[i].p, cmd->argv[i].len);
        text_add(out, "\r\n", 2);
    }
}

/* The end of the reply at p, or NULL when it is not whole before end. */
static const char *reply_end(const char *p, const char *end)
{
    const char *line = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!line) return NULL;
    long n = atol(p + 1);
    switch (*p) {
    case '$':
    case '=':
    case '!':
        if (n < 0) return line + 1;
        return end - line - 1 >= n + 2 ? line + 1 + n + 2 : NULL;
    case '*':
    case '~':
    case '>':
    case '%':
        if (*p == '%') n *= 2;
        for (p = line + 1; n > 0 && p; n--)
            p = reply_end(p, end);
        return n > 0 ? NULL : p;
    default: return line + 1;
    }
}

/* Takes one reply; {NULL, 0} when the connection ended or nothing came. */
static struct text link_reply(struct link *ln)
{
    const char *end;
    struct text reply = {0};
    if (ln->pos == ln->in.len) ln->pos = ln->in.len = 0;
    while (!(end = reply_end(ln->in.p + ln->pos, ln->in.p + ln->in.len))) {
        if (!link_fill(ln)) return reply;
    }
    text_add(&reply, ln->in.p + ln->pos, (size_t)(end - ln->in.p) - ln->pos);
    ln->pos = (size_t)(end - ln->in.p);
    return reply;
}

static struct text ask(struct link *ln, const struct command *cmd)
{
    struct text out = {0};
    command_bytes(cmd, &out);
    link_send(ln, &out);
    free(out.p);
    return link_reply(ln);
}

static struct text ask_words(struct link *ln, const char *words)
{
    struct command cmd = {0};
    expand(&cmd, words, words + strlen(words));
    struct text reply = ask(ln, &cmd);
    for (int i = 0; i < cmd.argc; i++)
        free(cmd.argv[i].p);
    return reply;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static enum how how_to_compare(const struct command *cmd)
{
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        if (is(cmd, compared[i].command)) return compared[i].how;
    }
    if (is(cmd, "object") && cmd->argc > 1 && strcasecmp(cmd->argv[1].p, "idletime") == 0)
        return NEAR_SECONDS;
    if (is(cmd, "object") && cmd->argc > 1 && strcasecmp(cmd->argv[1].p, "refcount") == 0)
        return SHAPE;
    /* Times; and 7.0 makes no consumer where it claims nothing. */
    if (is(cmd, "xinfo") && cmd->argc > 1 && strcasecmp(cmd->argv[1].p, "stream") != 0)
        return strcasecmp(cmd->argv[1].p, "consumers") == 0 ? SHAPE : LENGTH;
    return EXACT;
}

struct span {
    const char *p;
    size_t n;
};

static int by_bytes(const void *x, const void *y)
{
    const struct span *a = x, *b = y;
    int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* The elements of an aggregate reply, to be freed. */
static struct span *elements_of(const struct text *t, size_t *n)
{
    const char *end = t->p + t->len, *p = strchr(t->p, '\n') + 1;
    *n = *t->p == '*' || *t->p == '~' ? (size_t)atol(t->p + 1) : 0;
    if (*t->p == '%') *n = 2 * (size_t)atol(t->p + 1);
    struct span *all = malloc((*n + 1) * sizeof *all);
    for (size_t i = 0; i < *n; i++) {
        const char *next = reply_end(p, end);
        all[i] = (struct span){p, (size_t)(next - p)};
        p = next;
    }
    return all;
}

/* The elements joined by twos: n of them become n / 2. */
static size_t join_pairs(struct span *all, size_t n)
{
    for (size_t i = 0; i < n / 2; i++)
        all[i] = (struct span){all[2 * i].p, all[2 * i].n + all[2 * i + 1].n};
    return n / 2;
}

static bool same_sorted(const struct text *a, const struct text *b, bool pairs)
{
    size_t n, m;
    struct span *x = elements_of(a, &n), *y = elements_of(b, &m);
    bool same = n == m && *a->p == *b->p && strchr("*~%", *a->p);
    if (pairs) {
        n = join_pairs(x, n);
        m = join_pairs(y, m);
    }
    qsort(x, n, sizeof *x, by_bytes);
    qsort(y, m, sizeof *y, by_bytes);
    for (size_t i = 0; same && i < n; i++)
        same = by_bytes(&x[i], &y[i]) == 0;
    free(x);
    free(y);
    return same;
}

/* Cursor and elements. */
static bool same_scanned(const struct text *a, const struct text *b, bool pairs)
{
    size_t n, m;
    struct span *x = elements_of(a, &n), *y = elements_of(b, &m);
    bool same = n == 2 && m == 2 && by_bytes(&x[0], &y[0]) == 0;
    if (same) {
        struct text u = {(char *)x[1].p, x[1].n, 0}, v = {(char *)y[1].p, y[1].n, 0};
        same = same_sorted(&u, &v, pairs);
    }
    free(x);
    free(y);
    return same;
}

static bool same_length(const struct text *a, const struct text *b)
{
    if (*a->p != *b->p || (a->p[1] == '-') != (b->p[1] == '-')) return false;
    return !strchr("*~%", *a->p) || atol(a->p + 1) == atol(b->p + 1);
}

static bool same_number(const struct text *a, const struct text *b, long long tolerance)
{
    if (*a->p != ':' || *b->p != ':') return false;
    long long x = atoll(a->p + 1), y = atoll(b->p + 1);
    return (x < 0) == (y < 0) && llabs(x - y) <= tolerance;
}

/* A sorted set that SORT has unpacked keeps the sign of a score of -0 there; a packed one has 0. */
static bool same_but_for_zeros(const struct text *ours, const struct text *reference)
{
    static const char *const zeros[][2] = {{"$1\r\n0\r\n", "$2\r\n-0\r\n"}, {",0\r\n", ",-0\r\n"}};
    const char *a = ours->p, *b = reference->p;
    while (a < ours->p + ours->len && b < reference->p + reference->len) {
        bool zero = false;
        for (int i = 0; i < 2 && !zero; i++) {
            size_t n = strlen(zeros[i][0]), m = strlen(zeros[i][1]);
            zero = strncmp(a, zeros[i][0], n) == 0 && strncmp(b, zeros[i][1], m) == 0;
            if (zero) a += n, b += m;
        }
        if (!zero && *a++ != *b++) return false;
    }
    return a == ours->p + ours->len && b == reference->p + reference->len;
}

static bool same(const struct text *a, const struct text *b, enum how how)
{
    if (a->len == b->len && a->len && memcmp(a->p, b->p, a->len) == 0) return true;
    if (!a->len || !b->len) return false;
    switch (how) {
    case SORTED: return same_sorted(a, b, false);
    case SORTED_PAIRS: return same_sorted(a, b, true);
    case SCANNED: return same_scanned(a, b, false);
    case SCANNED_PAIRS: return same_scanned(a, b, true);
    case LENGTH: return same_length(a, b);
    case NEAR_SECONDS: return same_number(a, b, 5 * slow_factor());
    case NEAR_MS: return same_number(a, b, 5000 * slow_factor());
    case SHAPE: return *a->p == *b->p && (a->p[1] == '-') == (b->p[1] == '-');
    default: return same_but_for_zeros(a, b);
    }
}

static bool is_known(const char *name, const char *ours, const char *reference)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct known *k = &known[i];
        if (strcasecmp(name, k->command) == 0 &&
            strncmp(reference, k->reference, strlen(k->reference)) == 0 &&
            strncmp(ours, k->ours, strlen(k->ours)) == 0) {
            tolerated++;
            return true;
        }
    }
    return false;
}

static void show_command(const struct command *cmd)
{
    for (int i = 0; i < cmd->argc; i++) {
        printf(i ? " \"" : "\"");
        text_printable(cmd->argv[i].p, cmd->argv[i].len);
        printf("\"");
    }
}

static void complain(const char *what, const struct text *ours, const struct text *reference)
{
    printf("  FAIL  seed %llu, %s\n        ours:      ", (unsigned long long)seed, what);
    text_printable(ours->len ? ours->p : "(nothing)", ours->len ? ours->len : 9);
    printf("\n        reference: ");
    text_printable(reference->len ? reference->p : "(nothing)",
                   reference->len ? reference->len : 9);
    printf("\n");
    if (++mismatches >= MAX_MISMATCHES) {
        printf("0 passed, %ld failed\n", mismatches);
        exit(1);
    }
}

/* EXEC: element by element, as each command asks for. */
static bool same_exec(const struct text *a, const struct text *b, const struct queued *q)
{
    if (!a->len || !b->len || *a->p != '*' || *b->p != '*' || atol(a->p + 1) < 0)
        return same(a, b, EXACT);
    size_t n, m;
    struct span *x = elements_of(a, &n), *y = elements_of(b, &m);
    bool ok = n == m && n == q->n;
    for (size_t i = 0; ok && i < n; i++) {
        struct text u = {0}, v = {0};
        text_add(&u, x[i].p, x[i].n);
        text_add(&v, y[i].p, y[i].n);
        ok = same(&u, &v, q->how[i]);
        for (size_t j = 0; !ok && j < sizeof known / sizeof *known; j++)
            ok = is_known(known[j].command, u.p, v.p);
        free(u.p);
        free(v.p);
    }
    free(x);
    free(y);
    return ok;
}

/* Follows what the reference's reply says about the transaction. */
static void follow_queue(struct queued *q, const struct command *cmd, const struct text *reply)
{
    if (is(cmd, "multi") && *reply->p == '+') {
        q->open = true;
        q->n = 0;
    } else if ((is(cmd, "exec") || is(cmd, "discard")) && cmd->argc == 1) {
        q->open = false;
    } else if (q->open && strncmp(reply->p, "+QUEUED", 7) == 0) {
        if (q->n == q->cap) {
            q->cap = q->cap * 2 + 16;
            q->how = realloc(q->how, q->cap * sizeof *q->how);
        }
        q->how[q->n++] = how_to_compare(cmd);
    }
}

static void compare(int conn, const struct command *cmd, struct text *ours, struct text *reference)
{
    bool ok = is(cmd, "exec") ? same_exec(ours, reference, &queued[conn])
                              : same(ours, reference, how_to_compare(cmd));
    if (!ok && !(ours->len && reference->len && is_known(cmd->argv[0].p, ours->p, reference->p))) {
        char what[64];
        printf("        ");
        show_command(cmd);
        printf("\n");
        snprintf(what, sizeof what, "command %ld on RESP%d", sent, conn + 2);
        complain(what, ours, reference);
    }
    if (reference->len) follow_queue(&queued[conn], cmd, reference);
}

/* ---- all data ------------------------------------------------------------------------------- */

static struct text reply_of(int which, const char *first, const char *second,
                            const struct span *key)
{
    struct command cmd = {0};
    text_addz(new_argument(&cmd), first);
    if (second) text_addz(new_argument(&cmd), second);
    text_add(new_argument(&cmd), key->p, key->n);
    bool ranks = strcmp(first, "ZRANGE") == 0;
    if (ranks || strcmp(first, "LRANGE") == 0) {
        text_addz(new_argument(&cmd), "0");
        text_addz(new_argument(&cmd), "-1");
    }
    if (ranks) text_addz(new_argument(&cmd), "WITHSCORES");
    if (strcmp(first, "XRANGE") == 0) {
        text_addz(new_argument(&cmd), "-");
        text_addz(new_argument(&cmd), "+");
    }
    struct text reply = ask(&links[which][0], &cmd);
    for (int i = 0; i < cmd.argc; i++)
        free(cmd.argv[i].p);
    return reply;
}

static void compare_key(const struct span *key, const char *first, const char *second, enum how how)
{
    struct text a = reply_of(0, first, second, key), b = reply_of(1, first, second, key);
    if (!same(&a, &b, how) && !(a.len && b.len && is_known(first, a.p, b.p))) {
        char what[128];
        snprintf(what, sizeof what, "after %ld commands: %s%s%s of key \"%.*s\"", sent, first,
                 second ? " " : "", second ? second : "", (int)key->n, key->p);
        complain(what, &a, &b);
    }
    free(a.p);
    free(b.p);
}

/* All keys of the selected database by SCAN, sorted, as one array reply. */
static struct text scan_all(struct link *ln)
{
    struct text all = {0}, list = {0};
    char words[64] = "SCAN 0 COUNT 100", head[32];
    size_t count = 0, n;
    for (;;) {
        struct text reply = ask_words(ln, words);
        if (!reply.len || *reply.p != '*') exit(1);
        struct span *parts = elements_of(&reply, &n);
        struct text keys = {0};
        text_add(&keys, parts[1].p, parts[1].n);
        struct span *each = elements_of(&keys, &n);
        for (size_t i = 0; i < n; i++)
            text_add(&list, each[i].p, each[i].n);
        count += n;
        snprintf(words, sizeof words, "SCAN %.20s COUNT 100", strchr(parts[0].p, '\n') + 1);
        *strchr(words, '\r') = '\0';
        free(parts), free(each), free(keys.p), free(reply.p);
        if (strcmp(words, "SCAN 0") == 0) break;
        text_addz(&all, "");
        strcat(words, " COUNT 100");
    }
    text_add(&all, head, (size_t)snprintf(head, sizeof head, "*%zu\r\n", count));
    if (list.len) text_add(&all, list.p, list.len);
    free(list.p);
    return all;
}

static void compare_database(void)
{
    struct text a = scan_all(&links[0][0]), b = scan_all(&links[1][0]);
    size_t n;
    if (!same(&a, &b, SORTED)) complain("the keys that SCAN returns", &a, &b);
    struct span *keys = elements_of(&b, &n);
    for (size_t i = 0; i < n; i++) {
        const char *body = strchr(keys[i].p, '\n') + 1;
        struct span key = {body, (size_t)(keys[i].p + keys[i].n - 2 - body)};
        struct text type = reply_of(1, "TYPE", NULL, &key);
        compare_key(&key, "TYPE", NULL, EXACT);
        for (size_t t = 0; t < sizeof readers / sizeof *readers; t++) {
            if (strncmp(type.p, readers[t].type, strlen(readers[t].type)) == 0)
                compare_key(&key, readers[t].command, NULL, readers[t].how);
        }
        free(type.p);
        compare_key(&key, "PTTL", NULL, NEAR_MS);
        compare_key(&key, "OBJECT", "ENCODING", EXACT);
    }
    free(keys), free(a.p), free(b.p);
}

static void for_both(const char *words)
{
    for (int which = 0; which < 2; which++) {
        for (int conn = 0; conn < LINKS; conn++)
            free(ask_words(&links[which][conn], words).p);
    }
}

static void compare_data(void)
{
    char words[32];
    for_both("DISCARD");
    for_both("UNWATCH");
    for (int conn = 0; conn < LINKS; conn++)
        queued[conn].open = false;
    for (int db = 0; db < DATABASES; db++) {
        snprintf(words, sizeof words, "SELECT %d", db);
        for_both(words);
        compare_database();
    }
}

/* ---- the run -------------------------------------------------------------------------------- */

/* One batch over one connection; the state of its transaction is followed as far as it is known. */
static void run_batch(int conn, struct command *cmds, int n)
{
    struct text out = {0};
    bool in_multi = queued[conn].open;
    for (int i = 0; i < n; i++) {
        generate(&cmds[i], in_multi);
        if (is(&cmds[i], "multi")) in_multi = true;
        if (is(&cmds[i], "exec") || is(&cmds[i], "discard")) in_multi = false;
        command_bytes(&cmds[i], &out);
        if (show_from >= 0 && sent + i + 1 >= show_from - 30 && sent + i < show_from) {
            printf("%ld RESP%d ", sent + i + 1, conn + 2);
            show_command(&cmds[i]);
            printf("\n");
        }
    }
    for (int which = 0; which < 2; which++)
        link_send(&links[which][conn], &out);
    for (int i = 0; i < n; i++) {
        struct text ours = link_reply(&links[0][conn]), reference = link_reply(&links[1][conn]);
        sent++;
        compare(conn, &cmds[i], &ours, &reference);
        if (!ours.len || !reference.len) {
            printf("0 passed, %ld failed\n", mismatches);
            exit(1);
        }
        free(ours.p);
        free(reference.p);
    }
    free(out.p);
}

static void run(long count)
{
    static struct command cmds[BATCH];
    long checked = 0;
    while (sent < count) {
        int n = (int)(1 + below(BATCH));
        run_batch((int)below(LINKS), cmds, sent + n > count ? (int)(count - sent) : n);
        if (sent - checked >= CHECK_EVERY) {
            compare_data();
            checked = sent;
        }
    }
    compare_data();
}

static char **split_args(char *s)
{
    static char *args[32];
    int n = 0;
    for (char *word = strtok(s, " "); word && n < 31; word = strtok(NULL, " "))
        args[n++] = word;
    return args;
}

int main(int argc, char **argv)
{
    const char *program = NULL, *reference = getenv("REFERENCE_SERVER");
    char **extra = NULL;
    long count = 20000;
    seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--count") == 0)
            count = atol(argv[i + 1]);
        else if (strcmp(argv[i], "--server") == 0)
            program = argv[i + 1];
        else if (strcmp(argv[i], "--reference") == 0)
            reference = argv[i + 1];
        else if (strcmp(argv[i], "--server-args") == 0)
            extra = split_args(argv[i + 1]);
        else if (strcmp(argv[i], "--show") == 0)
            show_from = atol(argv[i + 1]);
        else
            return fprintf(stderr, "differential: what is %s?\n", argv[i]), 2;
    }
    rng = seed;
    base_time = time(NULL);
    printf("seed %llu, %ld commands\n", (unsigned long long)seed, count);
    server_start(&servers[0], program, extra);
    server_start(&servers[1], reference ? reference : "/usr/bin/redis-server", NULL);
    for (int which = 0; which < 2; which++) {
        for (int conn = 0; conn < LINKS; conn++)
            link_open(&links[which][conn], servers[which].port);
        free(ask_words(&links[which][1], "HELLO 3").p);
    }
    run(count);
    for (int which = 0; which < 2; which++)
        server_stop(&servers[which]);
    printf("%ld differences that are known\n", tolerated);
    printf("%d passed, %ld failed\n", mismatches == 0, mismatches + tests_failed);
    return mismatches + tests_failed > 0;
}
