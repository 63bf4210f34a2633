/*
 * resp.c - the request parser: buffer segments, argument arena, and the state between two reads.
 *
 * Bytes lie in the newest segment. Arguments are slices into segments, written straight into the
 * arena; a request is a run of the arena.
 *
 *   segment   |  handed out requests  | arguments of the | token | sentinel, then free room |
 *                                       open request     ^pos     ^end                       ^limit
 *   arena     |  handed out ...       | its slices       |
 *             0                       ^first             ^used                       ^cap
 *
 * Between two calls the parser is in one of these states:
 *   between requests   left == 0                       the token is nothing, a header or a line
 *   argument header    left > 0, len == NO_LEN         the token is a "$n" line
 *   argument bytes     left > 0, len >= 0, no blob     the token is the argument, begun
 *   big argument       left > 0, blob != NULL          no token; bytes are read into the blob
 *   failed             error != NULL                   for good
 *
 * Invariants
 *  1. *end is NUL: a loop over digits needs no other bound.
 *  2. The arena moves only while nothing is handed out. A request whose count does not fit behind
 *     requests that are out is not begun.
 *  3. Bytes move only while nothing is handed out; else the token alone is copied to a new segment.
 *     Segments older than `oldest_used` hold nothing that is still referenced.
 *  4. blobs, if there, is as long as the arena, and NULL wherever no argument owns a blob.
 *
 * A line is searched for its end as C strings are: a NUL in it hides the end for ever, and it fails
 * when it grows beyond RESP_INLINE_MAX. Only the byte CR is looked for in headers; what follows it
 * is skipped unseen. Clients in the field depend on neither, tests of the protocol on both.
 */
#include "net/resp.h"

#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#define NO_LEN           (-1)
#define ARENA_MIN        1024
#define SEGMENT_MAX      (1024 * 1024) /* segments double up to here */
#define SEGMENT_KEPT     (64 * 1024)   /* larger ones are not kept in the cache */
#define ROOM_MIN         (4 * 1024)    /* less room than this is not worth a read */
#define CACHE_MAX        64            /* parsers a thread keeps */
#define UNAUTH_ARGS_MAX  10
#define UNAUTH_BULK_MAX  16384

enum step {
    STEP_REQUEST = RESP_REQUEST,
    STEP_MORE = RESP_MORE,
    STEP_ERROR = RESP_ERROR,
    STEP_GO_ON, /* something was taken, no request is complete */
};

struct segment {
    struct segment *older;
    size_t cap; /* of data, the sentinel not counted */
    char data[];
};
#define SEGMENT_CAP (RESP_BUFFER_SIZE - sizeof(struct segment) - 1)

struct resp_parser {
    char *pos, *end, *limit;
    struct slice *args;
    size_t used, first, cap;
    int64_t left;          /* arguments to come of the open request */
    int64_t len;           /* of the argument that the token is */
    size_t bytes;          /* of the arguments of the open request */
    size_t out;            /* requests handed out */
    size_t scanned;        /* bytes of the line at pos that were searched already */
    bool endless;          /* that line has a NUL */
    uint32_t big_open;     /* blobs of the open request */
    size_t big_out;        /* blobs of requests handed out */
    struct blob **blobs;
    struct blob *blob;     /* being received */
    size_t blob_got;       /* bytes of it there, line end included */
    struct segment *newest, *oldest_used;
    size_t newest_first;   /* arguments in slots before this one lie in older segments */
    const char *error, *reason;
    char error_text[48];
    struct resp_parser *next; /* in the cache */
};

/* ---- segments ------------------------------------------------------------------------------- */

static struct segment *segment_new(size_t cap)
{
    struct segment *seg = mem_alloc(sizeof *seg + cap + 1);
    seg->older = NULL;
    seg->cap = cap;
    return seg;
}

static void segments_free(struct segment *seg)
{
    while (seg) {
        struct segment *older = seg->older;
        mem_free(seg);
        seg = older;
    }
}

static void set_end(struct resp_parser *ps, char *end)
{
    ps->end = end;
    *end = '\0';
}

static void drop_older_than(struct segment *seg)
{
    if (LIKELY(!seg->older)) return;
    segments_free(seg->older);
    seg->older = NULL;
}

static void use_segment(struct resp_parser *ps, struct segment *seg)
{
    ps->newest = seg;
    ps->pos = seg->data;
    ps->limit = seg->data + seg->cap;
}

/* Copies the token to a new segment with room for `need` bytes of it. */
static void open_segment(struct resp_parser *ps, size_t need)
{
    size_t token = (size_t)(ps->end - ps->pos);
    size_t cap = MIN(ps->newest->cap * 2, (size_t)SEGMENT_MAX);
    struct segment *seg = segment_new(MAX(cap, need + ROOM_MIN));
    memcpy(seg->data, ps->pos, token);
    seg->older = ps->newest;
    use_segment(ps, seg);
    set_end(ps, seg->data + token);
    ps->newest_first = ps->used;
    if (ps->used > ps->first) return;
    ps->oldest_used = seg;
    if (ps->out == 0) drop_older_than(seg);
}

static bool in_newest(const struct resp_parser *ps, const char *p)
{
    return p >= ps->newest->data && p <= ps->limit;
}

/* The first argument of the open request that lies in the newest segment, or `used`. */
static size_t first_in_newest(const struct resp_parser *ps)
{
    size_t i = MAX(ps->first, ps->newest_first);
    while (i < ps->used && !in_newest(ps, ps->args[i].p)) i++;
    return i;
}

/* Moves the open request, as far as it lies in the newest segment, to that segment's start. */
static void move_to_start(struct resp_parser *ps)
{
    char *data = ps->newest->data, *from = ps->pos;
    struct slice *args = ps->args;
    size_t i = first_in_newest(ps);
    if (i < ps->used) from = (char *)args[i].p;
    size_t by = (size_t)(from - data), n = (size_t)(ps->end - from);
    for (; i < ps->used; i++) {
        if (in_newest(ps, args[i].p)) args[i].p -= by;
    }
    memmove(data, from, n);
    ps->pos -= by;
    set_end(ps, data + n);
}

/* Bytes of the newest segment that belong to the open request. */
static size_t open_bytes(const struct resp_parser *ps)
{
    size_t i = first_in_newest(ps);
    return (size_t)(ps->end - (i < ps->used ? ps->args[i].p : ps->pos));
}

static void make_room(struct resp_parser *ps, size_t need)
{
    if (ps->out == 0) {
        size_t keep = open_bytes(ps), token = (size_t)(ps->end - ps->pos);
        if (keep <= ps->newest->cap / 2 && keep - token + need <= ps->newest->cap) {
            move_to_start(ps);
            return;
        }
    }
    open_segment(ps, need);
}

void resp_space(struct resp_parser *ps, char **p, size_t *n)
{
    if (UNLIKELY(ps->blob != NULL)) {
        *p = ps->blob->data + ps->blob_got;
        *n = ps->blob->len + 2 - ps->blob_got;
        return;
    }
    size_t need = ps->left > 0 && ps->len != NO_LEN ? (size_t)ps->len + 2 : 0;
    size_t have = (size_t)(ps->end - ps->pos);
    size_t wanted = need > have ? MAX(need - have, (size_t)ROOM_MIN) : ROOM_MIN;
    if (UNLIKELY((size_t)(ps->limit - ps->end) < wanted)) make_room(ps, have + wanted);
    *p = ps->end;
    *n = (size_t)(ps->limit - ps->end);
}

void resp_fed(struct resp_parser *ps, size_t n)
{
    if (UNLIKELY(ps->blob != NULL)) {
        ps->blob_got += n;
        assert(ps->blob_got <= ps->blob->len + 2);
    } else {
        assert(n <= (size_t)(ps->limit - ps->end));
        set_end(ps, ps->end + n);
    }
}

/* ---- the arena ------------------------------------------------------------------------------ */

static void arena_grow(struct resp_parser *ps, size_t cap)
{
    assert(ps->out == 0);
    ps->args = mem_realloc(ps->args, cap * sizeof *ps->args);
    if (ps->blobs) {
        ps->blobs = mem_realloc(ps->blobs, cap * sizeof *ps->blobs);
        memset(ps->blobs + ps->cap, 0, (cap - ps->cap) * sizeof *ps->blobs);
    }
    ps->cap = cap;
}

static void drop_blobs(struct resp_parser *ps, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        if (ps->blobs[i]) blob_unref(ps->blobs[i]);
        ps->blobs[i] = NULL;
    }
}

void resp_release(struct resp_parser *ps)
{
    if (UNLIKELY(ps->big_out != 0)) {
        drop_blobs(ps, ps->first);
        ps->big_out = 0;
    }
    ps->out = 0;
    if (ps->first >= ps->newest_first) ps->oldest_used = ps->newest;
    if (LIKELY(ps->left == 0)) {
        ps->used = ps->first = ps->newest_first = 0;
        if (LIKELY(ps->pos == ps->end)) {
            ps->pos = ps->newest->data;
            set_end(ps, ps->pos);
        }
    }
    drop_older_than(ps->oldest_used);
}

/* ---- failure -------------------------------------------------------------------------------- */

static enum step fail(struct resp_parser *ps, const char *error, const char *reason)
{
    ps->error = error;
    ps->reason = reason;
    return STEP_ERROR;
}

static enum step fail_expected(struct resp_parser *ps, char got)
{
    snprintf(ps->error_text, sizeof ps->error_text, "Protocol error: expected '$', got '%c'", got);
    return fail(ps, ps->error_text, "expected $ but got something else");
}

/* No more can be parsed: waits for bytes, unless too many wait already. */
static enum step more(struct resp_parser *ps, const struct resp_limits *limits)
{
    size_t waiting = ps->blob ? ps->blob_got : (size_t)(ps->end - ps->pos);
    if (waiting > limits->max_query_bytes) return fail(ps, "", "max query buffer length reached");
    return STEP_MORE;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* The end of the line at pos, or NULL: not there yet, or never. */
static char *line_end(struct resp_parser *ps, char mark)
{
    if (ps->endless) return NULL;
    size_t have = MIN((size_t)(ps->end - ps->pos), (size_t)RESP_INLINE_MAX + 1);
    char *from = ps->pos + ps->scanned;
    char *hit = memchr(from, mark, have - ps->scanned);
    size_t clean = hit ? (size_t)(hit - from) : have - ps->scanned;
    if (memchr(from, '\0', clean)) {
        ps->endless = true;
        return NULL;
    }
    ps->scanned += clean;
    return hit;
}

/* Of a line whose end was not found. */
static bool line_too_long(const struct resp_parser *ps)
{
    return ps->end - ps->pos > RESP_INLINE_MAX;
}

/* The number between the header's first byte and its CR. */
static bool header_number(const char *header, const char *cr, int64_t *out)
{
    return num_parse_i64(slice_of(header + 1, (size_t)(cr - header - 1)), out);
}

static void next_token(struct resp_parser *ps, char *pos)
{
    ps->pos = pos;
    ps->scanned = 0;
    ps->endless = false;
}

/* "123\r\n" at p as a small number: the byte behind it, or NULL when it is not whole, not canonical
 * or has more than eight digits; the careful path then decides. */
static inline const char *small_number(const char *p, const char *end, uint32_t *out)
{
    uint32_t v = (uint32_t)(unsigned char)*p - '0';
    if (UNLIKELY(v > 9)) return NULL;
    const char *q = p + 1;
    uint32_t digit = (uint32_t)(unsigned char)*q - '0';
    if (digit <= 9) {
        if (UNLIKELY(v == 0)) return NULL;
        do {
            v = v * 10 + digit;
            digit = (uint32_t)(unsigned char)*++q - '0';
        } while (digit <= 9 && q - p < 9);
        if (UNLIKELY(q - p > 8)) return NULL;
    }
    if (UNLIKELY(*q != '\r' || end - q < 2)) return NULL;
    *out = v;
    return q + 2;
}

/* ---- inline requests ------------------------------------------------------------------------ */

static int hex_value(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character that the escape at *p (behind its backslash) stands for; moves *p behind it. */
static char unescape(const char **p, const char *end)
{
    const char *s = *p;
    if (end - s >= 3 && *s == 'x' && hex_value(s[1]) >= 0 && hex_value(s[2]) >= 0) {
        *p = s + 3;
        return (char)(hex_value(s[1]) * 16 + hex_value(s[2]));
    }
    *p = s + 1;
    switch (*s) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return *s;
    }
}

static bool blank(char c)
{
    return isspace((unsigned char)c);
}

/* One quoted part, p behind its opening quote: the byte behind the closing one, or NULL when that
 * is missing or no blank follows. Writes at *out. */
static const char *take_quoted(const char *p, const char *end, char quote, char **out)
{
    while (p < end && *p != quote) {
        bool escape = *p == '\\' && p + 1 < end;
        if (escape && quote == '"') {
            p++;
            *(*out)++ = unescape(&p, end);
        } else if (escape && p[1] == '\'') {
            *(*out)++ = '\'';
            p += 2;
        } else {
            *(*out)++ = *p++;
        }
    }
    if (p == end || (p + 1 < end && !blank(p[1]))) return NULL;
    return p + 1;
}

/* One argument at p, which is no blank, unescaped in place: the byte behind it, or NULL. */
static const char *take_word(const char *p, const char *end, struct slice *arg)
{
    char *start = (char *)p, *out = start;
    while (p < end) {
        char c = *p;
        if (c == '"' || c == '\'') {
            p = take_quoted(p + 1, end, c, &out);
            if (!p) return NULL;
            break;
        }
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') break;
        *out++ = c;
        p++;
    }
    *arg = slice_of(start, (size_t)(out - start));
    return p;
}

/* Splits [p, end) into at most max arguments; *rest is where it stopped. -1: unbalanced quotes. */
static ssize_t split(const char *p, const char *end, struct slice *args, size_t max,
                     const char **rest)
{
    size_t n = 0;
    for (;;) {
        while (p < end && blank(*p)) p++;
        *rest = p;
        if (p == end || n == max) return (ssize_t)n;
        p = take_word(p, end, &args[n++]);
        if (!p) return -1;
    }
}

ssize_t resp_split_line(char *line, size_t n, struct slice **args, size_t *cap)
{
    const char *p = line, *end = line + strnlen(line, n);
    size_t count = 0;
    for (;;) {
        ssize_t got = split(p, end, *args + count, *cap - count, &p);
        if (got < 0) return -1;
        count += (size_t)got;
        if (p == end) return (ssize_t)count;
        *cap = MAX(*cap * 2, (size_t)16);
        *args = mem_realloc(*args, *cap * sizeof **args);
    }
}

/* ---- requests ------------------------------------------------------------------------------- */

static inline enum step finish(struct resp_parser *ps, struct request *out)
{
    out->argc = (uint32_t)(ps->used - ps->first);
    out->big_args = ps->big_open;
    out->argv = ps->args + ps->first;
    out->blobs = UNLIKELY(ps->big_open) ? ps->blobs + ps->first : NULL;
    out->bytes = ps->bytes;
    ps->big_out += ps->big_open;
    ps->big_open = 0;
    ps->bytes = 0;
    ps->first = ps->used;
    ps->out++;
    return STEP_REQUEST;
}

/* May a request of n arguments begin? Not when it could need the arena to grow under requests that
 * are out. Nothing is allocated for what is only announced: the arena grows as arguments come. */
static inline bool may_begin(const struct resp_parser *ps, size_t n, bool *full)
{
    if (LIKELY(n <= ps->cap - ps->used || ps->out == 0)) return true;
    *full = true;
    return false;
}

static enum step take_inline(struct resp_parser *ps, const struct resp_limits *limits,
                             struct request *out, bool *full)
{
    char *newline = line_end(ps, '\n');
    if (!newline) {
        if (!line_too_long(ps)) return more(ps, limits);
        return fail(ps, "Protocol error: too big inline request", "too big inline request");
    }
    size_t n = (size_t)(newline - ps->pos);
    if (n > 0 && newline[-1] == '\r') n--;
    size_t most = n / 2 + 1;
    if (!may_begin(ps, most, full)) return STEP_MORE;
    if (most > ps->cap - ps->used) arena_grow(ps, ps->used + most);
    const char *rest;
    struct slice *args = ps->args + ps->used;
    ssize_t argc = split(ps->pos, ps->pos + n, args, most, &rest);
    if (argc < 0) {
        return fail(ps, "Protocol error: unbalanced quotes in request",
                    "unbalanced quotes in inline request");
    }
    next_token(ps, newline + 1);
    if (argc == 0) return STEP_GO_ON;
    for (ssize_t i = 0; i < argc; i++) ps->bytes += args[i].n;
    ps->used += (size_t)argc;
    return finish(ps, out);
}

/* A "*n" line that the fast path left alone. Sets left; a count that is not positive is skipped. */
static enum step take_count(struct resp_parser *ps, const struct resp_limits *limits, bool *full)
{
    char *cr = line_end(ps, '\r');
    if (!cr && line_too_long(ps)) {
        return fail(ps, "Protocol error: too big mbulk count string", "too big mbulk count string");
    }
    if (!cr || ps->end - cr < 2) return more(ps, limits);
    int64_t n;
    if (!header_number(ps->pos, cr, &n) || n > limits->max_multibulk_len) {
        return fail(ps, "Protocol error: invalid multibulk length", "invalid mbulk count");
    }
    if (n > UNAUTH_ARGS_MAX && !limits->authenticated) {
        return fail(ps, "Protocol error: unauthenticated multibulk length", "unauth mbulk count");
    }
    if (n > 0 && !may_begin(ps, (size_t)n, full)) return STEP_MORE;
    next_token(ps, cr + 2);
    ps->left = MAX(n, 0);
    return STEP_GO_ON;
}

/* Begins the request whose first byte lies at pos. */
static inline enum step begin(struct resp_parser *ps, const struct resp_limits *limits,
                              struct request *out, bool *full)
{
    if (ps->pos == ps->end) return STEP_MORE;
    if (UNLIKELY(*ps->pos != '*')) return take_inline(ps, limits, out, full);
    uint32_t n;
    const char *behind = small_number(ps->pos + 1, ps->end, &n);
    if (UNLIKELY(!behind || n - 1 >= UNAUTH_ARGS_MAX)) return take_count(ps, limits, full);
    if (!may_begin(ps, n, full)) return STEP_MORE;
    next_token(ps, (char *)behind);
    ps->left = n;
    return STEP_GO_ON;
}

/* Takes the arguments that lie whole in the buffer and are of ordinary length: the hot loop. */
static inline void take_whole_args(struct resp_parser *ps, size_t max_len)
{
    const char *p = ps->pos, *end = ps->end;
    struct slice *slot = ps->args + ps->used;
    size_t room = MIN((size_t)ps->left, ps->cap - ps->used), taken = 0, bytes = 0;
    while (taken < room && *p == '$') {
        uint32_t len;
        const char *data = small_number(p + 1, end, &len);
        if (UNLIKELY(!data || len > max_len || (size_t)(end - data) < (size_t)len + 2)) break;
        slot[taken++] = slice_of(data, len);
        bytes += len;
        p = data + len + 2;
    }
    if (taken == 0) return;
    next_token(ps, (char *)p);
    ps->used += taken;
    ps->left -= (int64_t)taken;
    ps->bytes += bytes;
}

/* A "$n" line that the hot loop left alone: sets len. */
static enum step take_length(struct resp_parser *ps, const struct resp_limits *limits)
{
    char *cr = line_end(ps, '\r');
    if (!cr && line_too_long(ps)) {
        return fail(ps, "Protocol error: too big bulk count string", "too big bulk count string");
    }
    if (!cr || ps->end - cr < 2) return more(ps, limits);
    if (*ps->pos != '$') return fail_expected(ps, *ps->pos);
    int64_t n;
    if (!header_number(ps->pos, cr, &n) || n < 0 || (uint64_t)n > limits->max_bulk_len) {
        return fail(ps, "Protocol error: invalid bulk length", "invalid bulk length");
    }
    if (n > UNAUTH_BULK_MAX && !limits->authenticated) {
        return fail(ps, "Protocol error: unauthenticated bulk length", "unauth bulk length");
    }
    next_token(ps, cr + 2);
    ps->len = n;
    return STEP_GO_ON;
}

/* The next slot of the open request, filled. */
static void add_arg(struct resp_parser *ps, const char *p, size_t n)
{
    if (ps->used == ps->cap) {
        arena_grow(ps, ps->cap + MIN(ps->cap, (size_t)ps->left));
    }
    ps->args[ps->used++] = slice_of(p, n);
    ps->bytes += n;
    ps->left--;
    ps->len = NO_LEN;
}

/* Gives the argument at pos, of which a part is there, a blob of its own. */
static enum step begin_blob(struct resp_parser *ps)
{
    size_t have = (size_t)(ps->end - ps->pos);
    struct blob *blob = blob_new((size_t)ps->len + 2); /* its line end is received with it */
    if (!blob) return fail(ps, "out of memory", "no memory for a bulk");
    blob->len = (size_t)ps->len;
    memcpy(blob->data, ps->pos, have);
    next_token(ps, ps->end);
    ps->blob = blob;
    ps->blob_got = have;
    return STEP_GO_ON;
}

static enum step take_blob(struct resp_parser *ps, const struct resp_limits *limits)
{
    struct blob *blob = ps->blob;
    enum step step = more(ps, limits);
    if (ps->blob_got < blob->len + 2 || step == STEP_ERROR) return step;
    blob->data[blob->len] = '\0';
    ps->blob = NULL;
    add_arg(ps, blob->data, blob->len);
    if (!ps->blobs) ps->blobs = mem_calloc(ps->cap * sizeof *ps->blobs);
    ps->blobs[ps->used - 1] = blob;
    ps->big_open++;
    return STEP_GO_ON;
}

/* The bytes of an argument whose length is known. */
static enum step take_bytes(struct resp_parser *ps, const struct resp_limits *limits)
{
    if (ps->blob) return take_blob(ps, limits);
    size_t n = (size_t)ps->len;
    if ((size_t)(ps->end - ps->pos) >= n + 2) {
        add_arg(ps, ps->pos, n);
        next_token(ps, ps->pos + n + 2);
        return STEP_GO_ON;
    }
    return n >= RESP_BIG_ARG ? begin_blob(ps) : more(ps, limits);
}

static enum step take_carefully(struct resp_parser *ps, const struct resp_limits *limits)
{
    if (ps->len != NO_LEN) return take_bytes(ps, limits);
    if (ps->pos == ps->end) return STEP_MORE;
    return take_length(ps, limits);
}

enum resp_status resp_next(struct resp_parser *ps, const struct resp_limits *limits,
                           struct request *out, bool *full)
{
    *full = false;
    if (UNLIKELY(ps->error != NULL)) return RESP_ERROR;
    size_t max_len = limits->authenticated ? RESP_BIG_ARG : UNAUTH_BULK_MAX;
    max_len = MIN(max_len, limits->max_bulk_len);
    enum step step = STEP_GO_ON;
    for (;;) {
        if (ps->left == 0) {
            step = begin(ps, limits, out, full);
            if (UNLIKELY(step != STEP_GO_ON)) return (enum resp_status)step;
        }
        if (ps->len == NO_LEN) take_whole_args(ps, max_len);
        if (LIKELY(ps->left == 0)) {
            if (ps->used > ps->first) return (enum resp_status)finish(ps, out);
            continue; /* a line without arguments was skipped */
        }
        step = take_carefully(ps, limits);
        if (step != STEP_GO_ON) return (enum resp_status)step;
        if (ps->left == 0) return (enum resp_status)finish(ps, out);
    }
}

/* ---- parsers -------------------------------------------------------------------------------- */

static void parser_free(struct resp_parser *ps)
{
    segments_free(ps->newest);
    mem_free(ps->args);
    mem_free(ps->blobs);
    mem_free(ps);
}

static struct resp_parser *parser_new(void)
{
    struct resp_parser *ps = mem_calloc(sizeof *ps);
    ps->args = mem_alloc(ARENA_MIN * sizeof *ps->args);
    ps->cap = ARENA_MIN;
    ps->len = NO_LEN;
    ps->oldest_used = segment_new(SEGMENT_CAP);
    use_segment(ps, ps->oldest_used);
    set_end(ps, ps->pos);
    return ps;
}

/* As new, and no larger than is worth keeping. */
static void parser_reset(struct resp_parser *ps)
{
    if (ps->blob) blob_unref(ps->blob);
    if (ps->blobs) drop_blobs(ps, ps->used);
    ps->blob = NULL;
    ps->left = 0;
    ps->len = NO_LEN;
    ps->bytes = ps->big_open = ps->big_out = 0;
    ps->first = ps->used;
    ps->error = ps->reason = NULL;
    next_token(ps, ps->end);
    resp_release(ps);
    if (ps->newest->cap > SEGMENT_KEPT) {
        mem_free(ps->newest);
        ps->oldest_used = segment_new(SEGMENT_CAP);
        use_segment(ps, ps->oldest_used);
        set_end(ps, ps->pos);
    }
    if (ps->cap > ARENA_MIN) {
        mem_free(ps->blobs);
        ps->blobs = NULL;
        ps->cap = ARENA_MIN;
        ps->args = mem_realloc(ps->args, ps->cap * sizeof *ps->args);
    }
}

/* Each thread keeps the parsers it was given back last, hottest first. The functions that touch the
 * cache are never inlined: a caller that parks may go on in another thread, and must not take the
 * address of its variables along. */
static _Thread_local struct {
    struct resp_parser *first;
    unsigned n;
    bool registered;
} cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

__attribute__((noinline)) void resp_cache_trim(void)
{
    while (cache.first) {
        struct resp_parser *ps = cache.first;
        cache.first = ps->next;
        parser_free(ps);
    }
    cache.n = 0;
}

static void thread_ends(void *arg)
{
    resp_cache_trim();
}

static void make_key(void)
{
    CHECK(pthread_key_create(&cache_key, thread_ends) == 0);
}

static void register_thread(void)
{
    pthread_once(&cache_once, make_key);
    pthread_setspecific(cache_key, &cache);
    cache.registered = true;
}

__attribute__((noinline)) struct resp_parser *resp_parser_get(void)
{
    struct resp_parser *ps = cache.first;
    if (!ps) return parser_new();
    cache.first = ps->next;
    cache.n--;
    return ps;
}

__attribute__((noinline)) void resp_parser_put(struct resp_parser *ps)
{
    parser_reset(ps);
    if (cache.n >= CACHE_MAX) {
        parser_free(ps);
        return;
    }
    if (UNLIKELY(!cache.registered)) register_thread();
    ps->next = cache.first;
    cache.first = ps;
    cache.n++;
}

bool resp_idle(const struct resp_parser *ps)
{
    return ps->pos == ps->end && ps->left == 0 && ps->out == 0 && !ps->error;
}

/* ---- what is known of it -------------------------------------------------------------------- */

const char *resp_error(const struct resp_parser *ps)
{
    return ps->error;
}

const char *resp_reason(const struct resp_parser *ps)
{
    return ps->reason;
}

struct slice resp_offending(const struct resp_parser *ps)
{
    return slice_of(ps->pos, (size_t)(ps->end - ps->pos));
}

size_t resp_buffered(const struct resp_parser *ps)
{
    return (size_t)(ps->end - ps->pos) + (ps->blob ? ps->blob_got : 0);
}

size_t resp_capacity(const struct resp_parser *ps)
{
    return ps->newest->cap;
}

size_t resp_memory(const struct resp_parser *ps)
{
    size_t n = sizeof *ps + ps->cap * sizeof *ps->args;
    if (ps->blobs) n += ps->cap * sizeof *ps->blobs;
    if (ps->blob) n += sizeof *ps->blob + ps->blob->cap;
    for (const struct segment *seg = ps->newest; seg; seg = seg->older) n += sizeof *seg + seg->cap;
    return n;
}
