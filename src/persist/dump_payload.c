/*
 * dump_payload.c - one value with its type in front, and version and checksum behind.
 *
 *   | type | value ... | version, 2 bytes | CRC-64 of all before it, 8 bytes |
 */
#include "persist/crc64.h"
#include "persist/persist.h"
#include "persist/value_codec.h"

#define VERSION_BYTES 2
#define CRC_BYTES     8
#define FOOTER        (VERSION_BYTES + CRC_BYTES)

struct rdb_settings rdb_settings = {
    .version = RDB_VERSION_MAX, .compress = true, .checksum = true, .deep_restore = true};

void dump_value(const struct entry *e, struct buf *out)
{
    struct rdb_writer w = {.compress =
                               atomic_load_explicit(&rdb_settings.compress, memory_order_relaxed)};
    w.version = atomic_load_explicit(&rdb_settings.version, memory_order_relaxed);
    size_t start = out->n;
    w.out = *out;
    uint8_t type = value_type(&w, e);
    rdb_put_byte(&w, type);
    value_encode(&w, e, type);
    uint16_t version = (uint16_t)w.version;
    rdb_put(&w, &version, VERSION_BYTES);
    uint64_t crc = crc64(0, w.out.p + start, w.out.n - start);
    rdb_put(&w, &crc, CRC_BYTES);
    *out = w.out;
}

enum restore_result restore_check(struct slice payload)
{
    uint16_t version;
    uint64_t crc;
    if (payload.n < FOOTER) return RESTORE_BAD_FOOTER;
    memcpy(&version, payload.p + payload.n - FOOTER, sizeof version);
    memcpy(&crc, payload.p + payload.n - CRC_BYTES, sizeof crc);
    if (version > RDB_VERSION_MAX) return RESTORE_BAD_FOOTER;
    if (atomic_load_explicit(&rdb_settings.skip_checksum, memory_order_relaxed)) return RESTORE_OK;
    return crc == crc64(0, payload.p, payload.n - CRC_BYTES) ? RESTORE_OK : RESTORE_BAD_FOOTER;
}

static enum restore_result bad_data(const struct rdb_reader *r, const char *why)
{
    log_write(LOG_VERBOSE, "RESTORE: the payload is refused: %s", why ? why : r->error);
    return RESTORE_BAD_DATA;
}

enum restore_result restore_value(struct slice payload, struct slice key, int64_t expire_ms,
                                  struct entry **out)
{
    struct rdb_reader r;
    uint8_t type;
    rdb_reader_init(&r, payload.p, payload.n - FOOTER);
    r.deep = atomic_load_explicit(&rdb_settings.deep_restore, memory_order_relaxed);
    if (!rdb_get_byte(&r, &type)) return bad_data(&r, NULL);
    switch (value_decode(&r, type, key, out)) {
    case VALUE_OK: break;
    case VALUE_EMPTY: return bad_data(&r, "an empty value");
    default: return bad_data(&r, NULL);
    }
    if (expire_ms != ENTRY_NO_EXPIRE) *out = entry_with_expire(*out, expire_ms);
    return RESTORE_OK;
}
