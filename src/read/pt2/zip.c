/* zip.c - PKWARE's APPNOTE 6.3, of which torch's writer uses: stored members,
 * descriptors, zip64. */
#include "read/pt2/zip.h"

#include <stdlib.h>

#define LOCAL 0x04034b50u
#define CENTRAL 0x02014b50u
#define DESCRIPTOR 0x08074b50u
#define END 0x06054b50u
#define END_64 0x06064b50u
#define LOCATOR 0x07064b50u
#define SATURATED 0xffffffffu /* a field of 32 bits whose value stands elsewhere, in 64 */

/* Bit 3: sizes stand after the data; bit 11: names are UTF-8. */
#define DESCRIBED 0x0008u
#define KNOWN_FLAGS 0x0808u

static uint32_t u16(const uint8_t *p) { return (uint32_t)(p[0] | p[1] << 8); }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }
static uint64_t u64(const uint8_t *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

static precis_status damage(const pcs_zip *z, uint64_t at, const char *what, const char *why)
{
    return pcs_fail_at(z->ctx, PRECIS_EFORMAT, at, what, "%s", why);
}

/* ---- CRC-32 (ISO 3309), eight bytes at a time
 * --------------------------------------------------- */

static void make_sums(pcs_zip *z)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        z->sums[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) z->sums[k][i] = z->sums[k - 1][i] >> 8 ^ z->sums[0][z->sums[k - 1][i] & 255];
}

static uint32_t sum_of(const pcs_zip *z, const uint8_t *p, uint64_t n)
{
    uint32_t c = 0xffffffffu;
    for (; n >= 8; n -= 8, p += 8) {
        const uint32_t a = c ^ u32(p), b = u32(p + 4);
        c = z->sums[7][a & 255] ^ z->sums[6][a >> 8 & 255] ^ z->sums[5][a >> 16 & 255] ^ z->sums[4][a >> 24] ^
            z->sums[3][b & 255] ^ z->sums[2][b >> 8 & 255] ^ z->sums[1][b >> 16 & 255] ^ z->sums[0][b >> 24];
    }
    for (; n; n--, p++) c = c >> 8 ^ z->sums[0][(c ^ *p) & 255];
    return ~c;
}

/* ---- the end records ---------------------------------------------------------------------------- */

typedef struct {
    uint64_t count, bytes, at; /* of the directory */
    uint64_t behind;           /* where the directory must end */
} end_record;

/* The zip64 records, which say the same as the plain one where that can. */
static precis_status read_end_64(const pcs_zip *z, uint64_t locator, end_record *e)
{
    const uint8_t *l = z->map + locator;
    const uint64_t at = u64(l + 8);
    if (u32(l + 4) || u32(l + 16) > 1 || locator < 56 || at != locator - 56 || u32(z->map + at) != END_64)
        return damage(z, locator, "zip64 locator", "leads to no end record before it");
    const uint8_t *r = z->map + at;
    if (u64(r + 4) != 44 || u32(r + 16) || u32(r + 20) || u64(r + 24) != u64(r + 32))
        return damage(z, at, "zip64 end record", "has another size, or is of several disks");
    const uint64_t count = u64(r + 32), bytes = u64(r + 40), from = u64(r + 48);
    if ((e->count != 0xffff && e->count != count) || (e->bytes != SATURATED && e->bytes != bytes) ||
        (e->at != SATURATED && e->at != from))
        return damage(z, at, "zip64 end record", "says otherwise than the end record behind it");
    *e = (end_record){ count, bytes, from, at };
    return PRECIS_OK;
}

static precis_status read_end(const pcs_zip *z, end_record *e)
{
    if (z->size < 22 || u32(z->map) != LOCAL) return damage(z, 0, "zip", "it is no zip archive with members");
    const uint64_t at = z->size - 22;
    const uint8_t *r = z->map + at;
    if (u32(r) != END || u16(r + 20))
        return damage(z, at, "zip", "no end record stands at its end: it is cut, or something follows");
    if (u16(r + 4) || u16(r + 6) || u16(r + 8) != u16(r + 10))
        return damage(z, at, "end record", "is of several disks");
    *e = (end_record){ u16(r + 10), u32(r + 12), u32(r + 16), at };
    if (at >= 20 && u32(r - 20) == LOCATOR) {
        const precis_status st = read_end_64(z, at - 20, e);
        if (st) return st;
    }
    if (e->at > e->behind || e->bytes != e->behind - e->at)
        return damage(z, at, "end record", "its directory does not end where the end records begin");
    if (!e->count || e->count > PCS_LIMIT_TENSORS || e->count > e->bytes / 46)
        return damage(z, at, "end record", "has a number of members that its directory cannot hold");
    return PRECIS_OK;
}

/* ---- the directory ------------------------------------------------------------------------------ */

/* The 64-bit values of fields that are saturated, in their order (field 1 of
 * the extra fields). */
static bool read_wide(const uint8_t *extra, uint32_t n, uint64_t **wide, uint32_t count)
{
    if (!count) return true;
    for (uint32_t at = 0; at + 4 <= n;) {
        const uint32_t id = u16(extra + at), size = u16(extra + at + 2);
        if (size > n - at - 4) return false;
        for (uint32_t i = 0; id == 1 && i < count; i++) {
            if (size < 8 * (i + 1)) return false;
            *wide[i] = u64(extra + at + 4 + 8 * i);
        }
        if (id == 1) return true;
        at += 4 + size;
    }
    return false;
}

/* Folders from the root down, in plain characters. */
static bool good_name(pcs_str s)
{
    const char *slash = s.n ? memchr(s.s, '/', s.n) : NULL;
    if (!slash || slash == s.s) return false;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.s[i];
        if (c < 32 || c == 127 || c == '\\' || c == ':') return false;
        const bool begins = i == 0 || s.s[i - 1] == '/';
        if (begins && c == '/') return false;
        if (begins && c == '.' && (i + 1 == s.n || s.s[i + 1] == '/' || s.s[i + 1] == '.')) return false;
    }
    return s.s[s.n - 1] != '/';
}

static precis_status read_entry(pcs_zip *z, const uint8_t *p, uint64_t left, pcs_zip_member *m, uint64_t *taken)
{
    const uint64_t at = (uint64_t)(p - z->map);
    if (left < 46 || u32(p) != CENTRAL) return damage(z, at, "directory", "has no entry here");
    const uint32_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
    if (46ull + name + extra + comment > left)
        return damage(z, at, "directory", "an entry is longer than what is left");
    uint64_t packed = u32(p + 20);
    *m = (pcs_zip_member){ .whole = { (const char *)p + 46, name },
                           .header = u32(p + 42),
                           .size = u32(p + 24),
                           .crc = u32(p + 16),
                           .flags = (uint16_t)u16(p + 8),
                           .method = (uint16_t)u16(p + 10) };
    uint64_t *wide[3];
    uint32_t count = 0;
    if (m->size == SATURATED) wide[count++] = &m->size;
    if (packed == SATURATED) wide[count++] = &packed;
    if (m->header == SATURATED) wide[count++] = &m->header;
    if (!read_wide(p + 46 + name, extra, wide, count))
        return damage(z, at, "directory", "an entry lacks the 64-bit sizes that it points to");
    if (!good_name(m->whole)) return damage(z, at + 46, "directory", "a name is no path under a folder");
    if (m->method == 0 && packed != m->size) return damage(z, at + 20, "directory", "a stored member has two sizes");
    *taken = 46 + name + extra + comment;
    return PRECIS_OK;
}

static precis_status name_members(pcs_zip *z)
{
    const pcs_str first = z->members[0].whole;
    const size_t root = (size_t)((const char *)memchr(first.s, '/', first.n) - first.s) + 1;
    for (uint32_t i = 0; i < z->n; i++) {
        pcs_zip_member *m = &z->members[i];
        bool existed;
        const uint64_t at = (uint64_t)((const uint8_t *)m->whole.s - z->map);
        if (m->whole.n <= root || memcmp(m->whole.s, first.s, root))
            return damage(z, at, "directory", "a member lies outside of the folder that the first one lies in");
        m->name = (pcs_str){ m->whole.s + root, m->whole.n - root };
        const precis_status st = pcs_map_put(&z->names, m->name.s, m->name.n, i, &existed);
        if (st) return st;
        if (existed) return damage(z, at, "directory", "two members have one name");
    }
    return PRECIS_OK;
}

precis_status pcs_zip_open(precis_ctx *ctx, pcs_zip *z, const char *path, const uint8_t *map, uint64_t size)
{
    end_record e = { 0 };
    *z = (pcs_zip){ .ctx = ctx, .path = path, .map = map, .size = size };
    pcs_map_init(&z->names, ctx);
    precis_status st = read_end(z, &e);
    if (st) return st;
    z->directory = e.at;
    z->members = pcs_alloc(ctx, (size_t)e.count, sizeof *z->members);
    if (!z->members) return PRECIS_ENOMEM;
    for (uint64_t at = e.at; z->n < e.count; z->n++) {
        uint64_t taken = 0;
        if ((st = read_entry(z, map + at, e.behind - at, &z->members[z->n], &taken))) return st;
        at += taken;
        if (z->n + 1 == e.count && at != e.behind) return damage(z, at, "directory", "has more bytes than members");
    }
    make_sums(z);
    return name_members(z);
}

/* ---- members ------------------------------------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
    const uint64_t x = ((const pcs_zip_member *)a)->header, y = ((const pcs_zip_member *)b)->header;
    return x < y ? -1 : x > y;
}

/* Bytes of the descriptor after the data, which says the same again; 0: it
 * does not. */
static uint64_t descriptor(const pcs_zip *z, const pcs_zip_member *m, uint64_t end)
{
    const uint64_t at = m->at + m->size, left = end - at;
    const uint8_t *p = z->map + at;
    const bool wide = left == 24;
    if ((left != 16 && !wide) || u32(p) != DESCRIPTOR || u32(p + 4) != m->crc) return 0;
    const uint64_t packed = wide ? u64(p + 8) : u32(p + 8), size = wide ? u64(p + 16) : u32(p + 12);
    return packed == m->size && size == m->size ? left : 0;
}

/* A member's local header; `end` is where the next one begins. */
static precis_status check_member(pcs_zip *z, pcs_zip_member *m, uint64_t end)
{
    const uint8_t *p = z->map + m->header;
    if (m->header > end || end - m->header < 30 || u32(p) != LOCAL)
        return damage(z, m->header, "member", "no local header is where the directory says, or it overlaps the next");
    const uint32_t name = u16(p + 26), extra = u16(p + 28);
    if (m->flags & ~KNOWN_FLAGS || u16(p + 6) != m->flags)
        return damage(z, m->header + 6, "member", "is encrypted, or its flags are not known");
    if (m->method || u16(p + 8))
        return damage(z, m->header + 8, "member", "is compressed: torch stores members as they are");
    if (30ull + name + extra > end - m->header || name != m->whole.n || memcmp(p + 30, m->whole.s, name))
        return damage(z, m->header + 26, "member", "has another name than in the directory");
    m->at = m->header + 30 + name + extra;
    if (m->size > end - m->at) return damage(z, m->header, "member", "overlaps what follows");
    const bool described = m->flags & DESCRIBED;
    const bool said = u32(p + 14) == m->crc && (u32(p + 18) == m->size || u32(p + 18) == SATURATED) &&
                      (u32(p + 22) == m->size || u32(p + 22) == SATURATED);
    const bool empty = !u32(p + 14) && !u32(p + 18) && !u32(p + 22);
    if (!said && !(described && empty))
        return damage(z, m->header + 14, "member", "its local header and the directory differ");
    if (described ? !descriptor(z, m, end) : m->at + m->size != end)
        return damage(z, m->at + m->size, "member",
                      described ? "its descriptor and the directory differ, or a gap follows" : "a gap follows");
    return PRECIS_OK;
}

precis_status pcs_zip_check(pcs_zip *z)
{
    qsort(z->members, z->n, sizeof *z->members, by_place);
    pcs_map_free(&z->names); /* of places before they were ordered */
    pcs_map_init(&z->names, z->ctx);
    if (z->members[0].header) return damage(z, 0, "zip", "something stands before its first member");
    for (uint32_t i = 0; i < z->n; i++) {
        const uint64_t end = i + 1 < z->n ? z->members[i + 1].header : z->directory;
        bool existed;
        precis_status st = end > z->directory
                               ? damage(z, z->members[i].header, "member", "lies behind the directory's beginning")
                               : check_member(z, &z->members[i], end);
        if (!st) st = pcs_map_put(&z->names, z->members[i].name.s, z->members[i].name.n, i, &existed);
        if (st) return st;
    }
    return PRECIS_OK;
}

void pcs_zip_close(pcs_zip *z)
{
    if (!z->ctx) return;
    pcs_map_free(&z->names);
    pcs_free(z->ctx, z->members);
    *z = (pcs_zip){ 0 };
}

pcs_zip_member *pcs_zip_find(pcs_zip *z, const char *name)
{
    uint32_t i;
    return pcs_map_get(&z->names, name, strlen(name), &i) ? &z->members[i] : NULL;
}

const pcs_zip_member *pcs_zip_like(const pcs_zip *z, const char *beginning, const char *ending)
{
    const size_t b = strlen(beginning), e = strlen(ending);
    for (uint32_t i = 0; i < z->n; i++) {
        const pcs_str s = z->members[i].name;
        if (s.n >= b + e && !memcmp(s.s, beginning, b) && !memcmp(s.s + s.n - e, ending, e)) return &z->members[i];
    }
    return NULL;
}

precis_status pcs_zip_data(pcs_zip *z, pcs_zip_member *m, const uint8_t **data)
{
    if (!m->summed && sum_of(z, z->map + m->at, m->size) != m->crc) {
        char name[80];
        const size_t n = m->name.n < sizeof name - 1 ? m->name.n : sizeof name - 1;
        memcpy(name, m->name.s, n);
        name[n] = 0;
        return damage(z, m->at, name, "its bytes do not have the sum (CRC-32) that the directory says");
    }
    m->summed = true;
    *data = z->map + m->at;
    return PRECIS_OK;
}
