/*
 * btree.c - the B+ tree of a sorted set (picture and invariants: btree.h).
 *
 * A change goes down once, noting its path, and then up it:
 *
 *   insert   the leaf has room ------------------------> put in, counts + 1 upwards
 *            full, it is the end that grows -----------> a new leaf for what comes, the old stays
 * full full, a sibling has room -----------------> the two share evenly full
 * -------------------------------------> split in halves remove   the leaf stays at a third or more
 * --------> taken out, counts - 1 upwards less, and it fits in a sibling -----------> merged with
 * it; and so on upwards nothing is left --------------------------> the leaf goes; and so on
 * upwards
 *
 * Sharing before splitting keeps leaves about five sixths full when items come at random. Nodes are
 * merged to three quarters at most, so that insertions and removals in turn do not split and merge.
 */
#include "types/btree.h"

#define LEAF_FEW     (LEAF_MAX / 3)
#define LEAF_MERGED  (LEAF_MAX * 3 / 4)
#define LEAF_SHARES  (LEAF_MAX - 4) /* a leaf of at most this takes some from a full sibling */
#define LEAF_BUILT   (LEAF_MAX - 2)
#define INNER_FEW    (INNER_MAX / 3)
#define INNER_MERGED (INNER_MAX * 3 / 4)
#define INNER_BUILT  (INNER_MAX - 3)

static_assert(sizeof(struct btree_leaf) <= 512 && sizeof(struct btree_inner) <= 1024,
              "one size class of the allocator each");

struct step { /* the child of an inner node that the path goes through */
    struct btree_inner *node;
    size_t at;
};

struct path {
    struct btree_leaf *leaf;
    size_t at;                      /* in the leaf */
    struct step step[BTREE_HEIGHT]; /* 0: the leaf's parent; height - 1: the root */
};

/* ---- nodes ---------------------------------------------------------------------------------- */

/* Links a new leaf in behind `before` (NULL: as the first). */
static struct btree_leaf *leaf_new(struct btree *t, struct btree_leaf *before)
{
    struct btree_leaf *leaf = mem_alloc(sizeof *leaf);
    leaf->n = 0;
    leaf->prev = before;
    leaf->next = before ? before->next : t->first;
    *(leaf->prev ? &leaf->prev->next : &t->first) = leaf;
    *(leaf->next ? &leaf->next->prev : &t->last) = leaf;
    t->leaves++;
    return leaf;
}

static void leaf_free(struct btree *t, struct btree_leaf *leaf)
{
    *(leaf->prev ? &leaf->prev->next : &t->first) = leaf->next;
    *(leaf->next ? &leaf->next->prev : &t->last) = leaf->prev;
    t->leaves--;
    mem_free_sized(leaf, sizeof *leaf);
}

/* Moves n items from one place to another, in one leaf or between two. The counts are the caller's.
 */
static void leaf_move(struct btree_leaf *to, size_t to_at, const struct btree_leaf *from,
                      size_t from_at, size_t n)
{
    memmove(to->score + to_at, from->score + from_at, n * sizeof *to->score);
    memmove(to->item + to_at, from->item + from_at, n * sizeof *to->item);
}

static inline void leaf_put(struct btree_leaf *leaf, size_t at, struct zset_item *item)
{
    leaf_move(leaf, at + 1, leaf, at, leaf->n - at);
    leaf->score[at] = item->score;
    leaf->item[at] = item;
    leaf->n++;
}

static inline void leaf_cut(struct btree_leaf *leaf, size_t at, size_t n)
{
    leaf_move(leaf, at, leaf, at + n, leaf->n - at - n);
    leaf->n -= n;
}

static struct btree_inner *inner_new(struct btree *t)
{
    struct btree_inner *node = mem_alloc(sizeof *node);
    node->n = 0;
    t->inners++;
    return node;
}

static void inner_free(struct btree *t, struct btree_inner *node)
{
    t->inners--;
    mem_free_sized(node, sizeof *node);
}

static void inner_move(struct btree_inner *to, size_t to_at, const struct btree_inner *from,
                       size_t from_at, size_t n)
{
    memmove(to->child + to_at, from->child + from_at, n * sizeof *to->child);
    memmove(to->count + to_at, from->count + from_at, n * sizeof *to->count);
    memmove(to->score + to_at, from->score + from_at, n * sizeof *to->score);
    memmove(to->item + to_at, from->item + from_at, n * sizeof *to->item);
}

/* The rest of what is noted of the child is for refresh(). */
static void inner_put(struct btree_inner *node, size_t at, void *child)
{
    inner_move(node, at + 1, node, at, node->n - at);
    node->child[at] = child;
    node->n++;
}

static void inner_cut(struct btree_inner *node, size_t at)
{
    inner_move(node, at, node, at + 1, node->n - at - 1);
    node->n--;
}

static size_t sum(const size_t *count, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += count[i];
    return total;
}

/* Notes anew what a node at this height (1: children are leaves) knows of a child. An empty leaf
 * has no first item: who puts one into it notes that. */
static void refresh(struct btree_inner *node, size_t at, unsigned height)
{
    if (height == 1) {
        const struct btree_leaf *leaf = node->child[at];
        node->count[at] = leaf->n;
        if (leaf->n == 0) return;
        node->score[at] = leaf->score[0];
        node->item[at] = leaf->item[0];
    } else {
        const struct btree_inner *child = node->child[at];
        node->count[at] = sum(child->count, child->n);
        node->score[at] = child->score[0];
        node->item[at] = child->item[0];
    }
}

/* How many items or children a node has. */
static size_t node_n(const void *node, unsigned height)
{
    return height == 0 ? ((const struct btree_leaf *)node)->n
                       : ((const struct btree_inner *)node)->n;
}

static void node_free(struct btree *t, void *node, unsigned height)
{
    if (height == 0) {
        leaf_free(t, node);
    } else {
        inner_free(t, node);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

void btree_init(struct btree *t)
{
    *t = (struct btree){0};
    t->root = leaf_new(t, NULL);
}

static void free_below(struct btree *t, void *node, unsigned height)
{
    struct btree_inner *inner = node;
    for (size_t i = 0; height > 0 && i < inner->n; i++)
        free_below(t, inner->child[i], height - 1);
    node_free(t, node, height);
}

void btree_clear(struct btree *t)
{
    free_below(t, t->root, t->height);
    *t = (struct btree){0};
}

size_t btree_memory(const struct btree *t)
{
    return t->leaves * mem_good_size(sizeof(struct btree_leaf)) +
           t->inners * mem_good_size(sizeof(struct btree_inner));
}

/* Splits `left` into groups of about `most`: the size of the next one. */
static size_t group(size_t left, size_t most)
{
    size_t groups = (left + most - 1) / most;
    return left / groups;
}

/* Inner nodes over n nodes of the height below; their number, themselves in place of those. */
static size_t build_level(struct btree *t, void **nodes, size_t n)
{
    size_t made = 0;
    for (size_t done = 0, in; done < n; done += in) {
        struct btree_inner *node = inner_new(t);
        in = group(n - done, INNER_BUILT);
        for (; node->n < in; node->n++) {
            node->child[node->n] = nodes[done + node->n];
            refresh(node, node->n, t->height + 1);
        }
        nodes[made++] = node;
    }
    t->height++;
    return made;
}

void btree_build(struct btree *t, struct zset_item *const *items, size_t n)
{
    size_t made = 0;
    void **nodes = mem_alloc((n / (LEAF_BUILT / 2) + 1) * sizeof *nodes);
    *t = (struct btree){.len = n};
    assert(n > 0);
    for (size_t done = 0, in; done < n; done += in) {
        struct btree_leaf *leaf = leaf_new(t, t->last);
        in = group(n - done, LEAF_BUILT);
        for (; leaf->n < in; leaf->n++) {
            leaf->item[leaf->n] = items[done + leaf->n];
            leaf->score[leaf->n] = items[done + leaf->n]->score;
        }
        nodes[made++] = leaf;
    }
    while (made > 1)
        made = build_level(t, nodes, made);
    t->root = nodes[0];
    mem_free(nodes);
}

/* ---- searching ------------------------------------------------------------------------------ */

/* All of them are looked at: a loop without branches, quicker than halving where n is small. */
static inline size_t scores_below(const double *score, size_t n, double than)
{
    size_t below = 0;
    for (size_t i = 0; i < n; i++)
        below += score[i] < than;
    return below;
}

/* The first of items lo .. hi that does not lie before the bound, by member. */
static size_t halve(struct zset_item *const *item, size_t lo, size_t hi,
                    const struct btree_bound *b)
{
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = slice_cmp(zset_item_member(item[mid]), b->member);
        if (c < 0 || (c == 0 && b->after)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* How many of the n lie before the bound. */
static inline size_t before(const double *score, struct zset_item *const *item, size_t n,
                            const struct btree_bound *b)
{
    size_t lo = 0, hi = n;
    if (b->by_score) {
        lo = scores_below(score, n, b->score);
        if (lo == n || score[lo] != b->score) return lo;
        if (!b->by_member && !b->after) return lo;
        for (hi = lo + 1; hi < n && score[hi] == b->score;)
            hi++;
        if (!b->by_member) return hi;
    }
    return halve(item, lo, hi, b);
}

/* The child that the bound lies in, or at the end of. */
static inline size_t child_of(const struct btree_inner *node, const struct btree_bound *b)
{
    size_t n = before(node->score, node->item, node->n, b);
    return n ? n - 1 : 0;
}

/* The path to the item, or to where it would be. */
static void descend(const struct btree *t, const struct zset_item *item, struct path *p)
{
    struct btree_bound b = {true, true, true, item->score, zset_item_member(item)};
    void *node = t->root;
    for (unsigned level = t->height; level-- > 0;) {
        struct step *s = &p->step[level];
        s->node = node;
        s->at = child_of(s->node, &b);
        node = s->node->child[s->at];
    }
    b.after = false;
    p->leaf = node;
    p->at = before(p->leaf->score, p->leaf->item, p->leaf->n, &b);
}

size_t btree_before(const struct btree *t, const struct btree_bound *bound)
{
    size_t rank = 0;
    const void *node = t->root;
    for (unsigned height = t->height; height > 0; height--) {
        const struct btree_inner *inner = node;
        size_t at = child_of(inner, bound);
        rank += sum(inner->count, at);
        node = inner->child[at];
    }
    const struct btree_leaf *leaf = node;
    return rank + before(leaf->score, leaf->item, leaf->n, bound);
}

size_t btree_rank(const struct btree *t, const struct zset_item *item)
{
    struct btree_bound b = {true, true, false, item->score, zset_item_member(item)};
    return btree_before(t, &b);
}

struct btree_pos btree_at(const struct btree *t, size_t rank)
{
    const void *node = t->root;
    assert(rank < t->len);
    for (unsigned height = t->height; height > 0; height--) {
        const struct btree_inner *inner = node;
        size_t at = 0;
        while (rank >= inner->count[at])
            rank -= inner->count[at++];
        node = inner->child[at];
    }
    return (struct btree_pos){node, rank};
}

/* ---- inserting ------------------------------------------------------------------------------ */

static void grow(struct btree *t, struct path *p)
{
    struct btree_inner *root = inner_new(t);
    assert(t->height < BTREE_HEIGHT);
    root->child[0] = t->root;
    root->n = 1;
    t->root = root;
    p->step[t->height++] = (struct step){root, 0};
}

enum side { SIDE_NONE, SIDE_FRONT, SIDE_BACK }; /* does the tree grow at an end? */

/* Which of a full node's children stay when one is added at `at`. */
static size_t kept(enum side side, size_t at)
{
    if (side == SIDE_BACK && at == INNER_MAX) return INNER_MAX;
    return side == SIDE_FRONT && at == 1 ? 1 : INNER_MAX / 2;
}

static void add_child(struct btree *t, struct path *p, unsigned level, void *child, bool go,
                      enum side side);

/* Splits the full inner node of the path at this level; the path goes on through the half that its
 * child is in. Returns the half that a child added at *at belongs into, and where. */
static struct btree_inner *split_inner(struct btree *t, struct path *p, unsigned level, size_t *at,
                                       enum side side)
{
    struct step *s = &p->step[level];
    struct btree_inner *left = s->node, *right = inner_new(t);
    size_t keep = kept(side, *at);
    bool whole = keep == INNER_MAX; /* then the path goes where the new child goes: the end grows */
    inner_move(right, 0, left, keep, INNER_MAX - keep);
    right->n = INNER_MAX - keep;
    left->n = keep;
    bool go = whole || s->at >= keep;
    add_child(t, p, level + 1, right, go, side);
    if (go) *s = (struct step){right, whole ? 0 : s->at - keep};
    if (*at <= keep && !whole) return left;
    *at -= keep;
    return right;
}

/* Adds a child behind the one that the path goes through at this level (`height`: a new root). go:
 * the path goes on through the new one. Counts are not right until refresh_path(). */
static void add_child(struct btree *t, struct path *p, unsigned level, void *child, bool go,
                      enum side side)
{
    if (level == t->height) grow(t, p);
    size_t at = p->step[level].at + 1;
    struct btree_inner *node = p->step[level].node;
    if (node->n == INNER_MAX) node = split_inner(t, p, level, &at, side);
    inner_put(node, at, child);
    if (go) p->step[level] = (struct step){node, at};
}

/* Notes anew what is known of the nodes of the path, and of those beside them. */
static void refresh_path(const struct btree *t, const struct path *p)
{
    for (unsigned level = 0; level < t->height; level++) {
        struct btree_inner *node = p->step[level].node;
        size_t at = p->step[level].at;
        for (size_t i = at ? at - 1 : 0; i <= at + 1 && i < node->n; i++)
            refresh(node, i, level + 1);
    }
}

static void split_leaf(struct btree *t, struct path *p)
{
    struct btree_leaf *left = p->leaf, *right = leaf_new(t, left);
    enum side side = SIDE_NONE;
    size_t keep = LEAF_MAX / 2;
    if (right == t->last && p->at == LEAF_MAX) {
        side = SIDE_BACK;
        keep = LEAF_MAX;
    } else if (left == t->first && p->at == 0) {
        side = SIDE_FRONT;
        keep = 0;
    }
    leaf_move(right, 0, left, keep, LEAF_MAX - keep);
    right->n = LEAF_MAX - keep;
    left->n = keep;
    bool go = p->at > keep || side == SIDE_BACK;
    add_child(t, p, 0, right, go, side);
    if (go) {
        p->leaf = right;
        p->at -= keep;
    }
    refresh_path(t, p);
}

/* Evens out a full leaf and the one before it. What is known above their parent stays true. */
static void share_left(struct path *p, struct btree_leaf *left)
{
    struct btree_leaf *full = p->leaf;
    size_t n = (full->n - left->n + 1) / 2;
    leaf_move(left, left->n, full, 0, n);
    leaf_cut(full, 0, n);
    left->n += n;
    if (p->at >= n) {
        p->at -= n;
        return;
    }
    p->leaf = left;
    p->at += left->n - n;
    p->step[0].at--;
}

static void share_right(struct path *p, struct btree_leaf *right)
{
    struct btree_leaf *full = p->leaf;
    size_t n = (full->n - right->n + 1) / 2;
    leaf_move(right, n, right, 0, right->n);
    leaf_move(right, 0, full, full->n - n, n);
    right->n += n;
    full->n -= n;
    if (p->at <= full->n) return;
    p->leaf = right;
    p->at -= full->n;
    p->step[0].at++;
}

/* Shares a full leaf with a sibling that has room. */
static bool share(struct btree *t, struct path *p)
{
    if (t->height == 0) return false;
    struct btree_inner *node = p->step[0].node;
    size_t at = p->step[0].at;
    if (at + 1 < node->n && node->count[at + 1] <= LEAF_SHARES) {
        share_right(p, node->child[at + 1]);
        at++;
    } else if (at > 0 && node->count[at - 1] <= LEAF_SHARES) {
        share_left(p, node->child[at - 1]);
    } else {
        return false;
    }
    refresh(node, at - 1, 1);
    refresh(node, at, 1);
    return true;
}

/* At the growing end nothing is shared, so that items that come in order fill the leaves. */
static bool at_end(const struct btree *t, const struct path *p)
{
    return (p->leaf == t->last && p->at == LEAF_MAX) || (p->leaf == t->first && p->at == 0);
}

static void insert_at(struct btree *t, struct path *p, struct zset_item *item)
{
    if (p->leaf->n == LEAF_MAX && (at_end(t, p) || !share(t, p))) split_leaf(t, p);
    bool smallest = p->at == 0;
    leaf_put(p->leaf, p->at, item);
    t->len++;
    for (unsigned level = 0; level < t->height; level++) {
        struct step *s = &p->step[level];
        s->node->count[s->at]++;
        if (!smallest) continue;
        s->node->score[s->at] = item->score;
        s->node->item[s->at] = item;
        smallest = s->at == 0;
    }
}

void btree_insert(struct btree *t, struct zset_item *item)
{
    struct path p;
    descend(t, item, &p);
    insert_at(t, &p, item);
}

/* ---- removing ------------------------------------------------------------------------------- */

static void merge_leaves(struct btree *t, struct btree_leaf *a, struct btree_leaf *b)
{
    leaf_move(a, a->n, b, 0, b->n);
    a->n += b->n;
    leaf_free(t, b);
}

static void merge_inners(struct btree *t, struct btree_inner *a, struct btree_inner *b)
{
    inner_move(a, a->n, b, 0, b->n);
    a->n += b->n;
    inner_free(t, b);
}

/* Merges children at and at + 1 (of the height `below`) if they fit well into one. */
static bool merge(struct btree *t, struct btree_inner *node, size_t at, unsigned below)
{
    if (at + 1 >= node->n) return false;
    void *a = node->child[at], *b = node->child[at + 1];
    size_t n = node_n(a, below) + node_n(b, below);
    if (n > (below == 0 ? (size_t)LEAF_MERGED : (size_t)INNER_MERGED)) return false;
    if (below == 0) {
        merge_leaves(t, a, b);
    } else {
        merge_inners(t, a, b);
    }
    inner_cut(node, at + 1);
    refresh(node, at, below + 1);
    return true;
}

static bool is_small(const void *node, unsigned height)
{
    return node_n(node, height) <= (height == 0 ? (size_t)LEAF_FEW : (size_t)INNER_FEW);
}

/* Does what has to be done when the child at `at` has become smaller. */
static void tidy(struct btree *t, struct btree_inner *node, size_t at, unsigned below)
{
    void *child = node->child[at];
    if (node_n(child, below) == 0) {
        node_free(t, child, below);
        inner_cut(node, at);
        return;
    }
    refresh(node, at, below + 1);
    if (!is_small(child, below) || merge(t, node, at, below)) return;
    if (at > 0) merge(t, node, at - 1, below);
}

/* A root of one child is none; without any item there is one empty leaf. */
static void lower_root(struct btree *t)
{
    while (t->height > 0) {
        struct btree_inner *root = t->root;
        if (root->n > 1) return;
        void *child = root->n ? root->child[0] : NULL;
        inner_free(t, root);
        t->root = child;
        t->height = child ? t->height - 1 : 0;
    }
    if (!t->root) t->root = leaf_new(t, NULL);
}

static void remove_at(struct btree *t, struct path *p)
{
    struct btree_leaf *leaf = p->leaf;
    bool smallest = p->at == 0;
    leaf_cut(leaf, p->at, 1);
    t->len--;
    if (is_small(leaf, 0) && t->height > 0) {
        for (unsigned level = 0; level < t->height; level++)
            tidy(t, p->step[level].node, p->step[level].at, level);
        lower_root(t);
        return;
    }
    for (unsigned level = 0; level < t->height; level++) {
        struct step *s = &p->step[level];
        s->node->count[s->at]--;
        if (!smallest) continue;
        s->node->score[s->at] = leaf->score[0];
        s->node->item[s->at] = leaf->item[0];
        smallest = s->at == 0;
    }
}

void btree_remove(struct btree *t, struct zset_item *item)
{
    struct path p;
    descend(t, item, &p);
    assert(p.at < p.leaf->n && p.leaf->item[p.at] == item);
    remove_at(t, &p);
}

/* Does an item of the leaf, not its first, belong between its first and its last with this score?
 */
static bool stays_inside(const struct path *p, double score)
{
    const struct btree_leaf *leaf = p->leaf;
    return p->at > 0 && leaf->score[0] < score && score < leaf->score[leaf->n - 1];
}

void btree_move(struct btree *t, struct zset_item *item, double score)
{
    struct path p;
    struct btree_bound b = {true, true, false, score, zset_item_member(item)};
    descend(t, item, &p);
    assert(p.at < p.leaf->n && p.leaf->item[p.at] == item);
    bool inside = stays_inside(&p, score);
    if (!inside) remove_at(t, &p);
    item->score = score;
    if (inside) {
        leaf_cut(p.leaf, p.at, 1);
        leaf_put(p.leaf, before(p.leaf->score, p.leaf->item, p.leaf->n, &b), item);
    } else {
        btree_insert(t, item);
    }
}

/* ---- removing ranges ------------------------------------------------------------------------ */

struct cut {
    struct btree *t;
    void (*gone)(void *arg, struct zset_item *item);
    void *arg;
};

static void cut_leaf(const struct cut *c, struct btree_leaf *leaf, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        c->gone(c->arg, leaf->item[i]);
    leaf_cut(leaf, from, to - from);
}

static void drop(const struct cut *c, void *node, unsigned height)
{
    struct btree_inner *inner = node;
    struct btree_leaf *leaf = node;
    if (height == 0) cut_leaf(c, leaf, 0, leaf->n);
    for (size_t i = 0; height > 0 && i < inner->n; i++)
        drop(c, inner->child[i], height - 1);
    node_free(c->t, node, height);
}

static void cut_node(const struct cut *c, void *node, unsigned height, size_t from, size_t to);

/* Takes items from .. to of the child out, and the child if those are all: then true. */
static bool cut_child(const struct cut *c, struct btree_inner *node, size_t at, unsigned height,
                      size_t from, size_t to)
{
    void *child = node->child[at];
    if (from == 0 && to == node->count[at]) {
        drop(c, child, height - 1);
        return true;
    }
    cut_node(c, child, height - 1, from, to);
    refresh(node, at, height);
    return false;
}

/* Takes items from .. to below this node out, which are not all that it has. */
static void cut_node(const struct cut *c, void *of, unsigned height, size_t from, size_t to)
{
    struct btree_inner *node = of;
    size_t first = 0, start = 0, stay = 0;
    if (height == 0) {
        cut_leaf(c, of, from, to);
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        size_t count = node->count[i], end = start + count;
        size_t lo = MAX(from, start), hi = MIN(to, end);
        bool gone = lo < hi && cut_child(c, node, i, height, lo - start, hi - start);
        if (lo < hi && start <= from) first = stay;
        if (!gone) inner_move(node, stay++, node, i, 1);
        start = end;
    }
    node->n = stay;
    /* Children that were cut in two lie here, two at most, and those beside them. */
    for (size_t at = MIN(first + 2, stay); at-- > (first ? first - 1 : 0);)
        merge(c->t, node, at, height - 1);
}

void btree_remove_ranks(struct btree *t, size_t rank, size_t n,
                        void (*gone)(void *arg, struct zset_item *item), void *arg)
{
    struct cut c = {t, gone, arg};
    assert(rank + n <= t->len);
    if (n == 0) return;
    if (n == t->len) {
        drop(&c, t->root, t->height);
        btree_init(t);
        return;
    }
    cut_node(&c, t->root, t->height, rank, rank + n);
    t->len -= n;
    lower_root(t);
}
