/* table.c - CSV (RFC 4180) into columns of numbers, with file, row and column in every message. */
#include "law/table.h"

#include "base/file.h"
#include "base/stop.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    FILE_BYTES = PCS_LIMIT_TABLE,
    COLUMNS = 512,
    ROWS = PCS_LIMIT_TABLE_ROWS,
    FIELD = 4096,
    CONDITIONS = 16,
    V_LOSS = PCS_VARS,
    V_FLOP,
    V_RUN,
    V_ALL
};

static const char *quantity_name(int v)
{
    return v < PCS_VARS ? pcs_variables[v].name : v == V_LOSS ? "loss" : v == V_FLOP ? "flop" : "run";
}

typedef struct { const char *text; size_t len; } field;

typedef struct {
    precis_ctx *ctx;
    const char *path, *p, *end;
    int line, inside;      /* of the file; line ends within the quotes of this record */
    char *head[COLUMNS];   /* names of the header */
    int n_columns;
    field fields[COLUMNS]; /* of the row at hand; text with the quotes' escapes undone in place */
    int n_fields;
    char *text;
    int column[V_ALL];     /* of each quantity; -1 */
    struct { int column; char *values; } where[CONDITIONS];
    int n_where;
    pcs_arena arena;
} reader;

static precis_status fail(const reader *r, int column, const char *fmt, ...) PCS_PRINTF(3, 4);
static precis_status fail(const reader *r, int column, const char *fmt, ...)
{
    char why[300], at[200] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (column >= 0) snprintf(at, sizeof at, ", column %d (%.150s)", column + 1, r->head[column]);
    return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s, row %d%s: %s", r->path, r->line, at, why);
}

/* The next record; false at the end. Quotes are undone in place: the text is ours. */
static precis_status record(reader *r, bool *more)
{
    r->n_fields = 0;
    while (r->p < r->end && (*r->p == '\n' || *r->p == '\r')) r->line += *r->p++ == '\n';
    *more = r->p < r->end;
    r->line += 1 + r->inside;
    r->inside = 0;
    while (r->p < r->end) {
        if (r->n_fields == COLUMNS) return fail(r, -1, "more than %d columns", COLUMNS);
        char *o = r->text + (r->p - r->text);
        field *f = &r->fields[r->n_fields++];
        f->text = o;
        if (*r->p == '"') {
            for (r->p++;; r->p++) {
                if (r->p >= r->end) return fail(r, -1, "a quotation mark is not closed");
                if (*r->p == '"' && r->p + 1 < r->end && r->p[1] == '"') r->p++;
                else if (*r->p == '"') break;
                r->inside += *r->p == '\n';
                *o++ = *r->p;
            }
            r->p++;
        }
        while (r->p < r->end && *r->p != ',' && *r->p != '\n') *o++ = *r->p++;
        f->len = (size_t)(o - f->text);
        while (f->len && isspace((unsigned char)f->text[f->len - 1])) f->len--;
        while (f->len && isspace((unsigned char)*f->text)) f->text++, f->len--;
        if (f->len > FIELD) return fail(r, -1, "a field of more than %d bytes", FIELD);
        const bool comma = r->p < r->end && *r->p == ',';
        if (r->p < r->end) r->p++;
        if (!comma) break;
    }
    return PRECIS_OK;
}

static int find(const reader *r, const char *name)
{
    for (int i = 0; i < r->n_columns; i++)
        if (!strcasecmp(r->head[i], name)) return i;
    return -1;
}

/* "N=Model Size,loss=val loss": the names of columns may have blanks, and commas by being quoted are not allowed. */
static precis_status mapping(reader *r, const char *columns)
{
    for (const char *p = columns; p && *p;) {
        char item[512], *eq;
        const size_t n = strcspn(p, ",");
        if (n >= sizeof item) return pcs_fail(r->ctx, PRECIS_EINVAL, "a name of a column is too long");
        memcpy(item, p, n);
        item[n] = 0;
        p += n + (p[n] == ',');
        eq = strchr(item, '=');
        int v = -1;
        if (eq) *eq = 0;
        for (int i = 0; i < V_ALL; i++)
            if (!strcmp(quantity_name(i), item)) v = i;
        if (!eq || v < 0 || v == V_RUN)
            return pcs_fail(r->ctx, PRECIS_EINVAL,
                            "columns are given as VARIABLE=NAME with a variable of N D loss flop bits_w bits_a bits_kv "
                            "bits_bwd bits_post exponent mantissa block sparsity qat, not \"%s\"",
                            item);
        r->column[v] = find(r, eq + 1);
        if (r->column[v] < 0) return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: there is no column \"%s\"", r->path, eq + 1);
    }
    return PRECIS_OK;
}

static precis_status conditions(reader *r, const char *where)
{
    for (const char *p = where; p && *p;) {
        const size_t n = strcspn(p, ";");
        char *item = pcs_arena_copy(&r->arena, p, n), *eq = item ? strchr(item, '=') : NULL;
        if (!item) return PRECIS_ENOMEM;
        p += n + (p[n] == ';');
        if (!n) continue;
        if (!eq || r->n_where == CONDITIONS)
            return pcs_fail(r->ctx, PRECIS_EINVAL,
                            "rows are chosen as COLUMN=VALUE|VALUE, at most %d of them, not \"%s\"", CONDITIONS, item);
        *eq = 0;
        r->where[r->n_where].column = find(r, item);
        if (r->where[r->n_where].column < 0)
            return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: there is no column \"%s\"", r->path, item);
        r->where[r->n_where++].values = eq + 1;
    }
    return PRECIS_OK;
}

static bool taken(const reader *r)
{
    for (int i = 0; i < r->n_where; i++) {
        const field *f = &r->fields[r->where[i].column];
        bool any = false;
        for (const char *p = r->where[i].values; !any; p++) {
            const size_t n = strcspn(p, "|");
            char other[256];
            int column = -1;
            if (*p == '@' && n < sizeof other) { /* the same as another column */
                memcpy(other, p + 1, n - 1);
                other[n - 1] = 0;
                column = find(r, other);
            }
            const field *g = column >= 0 ? &r->fields[column] : NULL;
            any = g ? g->len == f->len && !memcmp(g->text, f->text, f->len) : n == f->len && !memcmp(p, f->text, n);
            p += n;
            if (!*p) break;
        }
        if (!any) return false;
    }
    return true;
}

static precis_status header(reader *r, const precis_law_fit_options *o)
{
    bool more;
    precis_status st = record(r, &more);
    if (st) return st;
    if (!more) return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s is empty", r->path);
    for (int i = 0; i < r->n_fields; i++)
        if (!(r->head[i] = pcs_arena_copy(&r->arena, r->fields[i].text, r->fields[i].len))) return PRECIS_ENOMEM;
    r->n_columns = r->n_fields;
    for (int v = 0; v < V_ALL; v++) r->column[v] = -1;
    st = mapping(r, o->columns);
    if (st) return st;
    const int V_N = PCS_VAR_N, V_D = PCS_VAR_D;
    static const struct { const char *variable, *name; } known[] = {
#define COLUMN(variable, name) { #variable, name },
#include "law/table.def"
#undef COLUMN
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (int v = 0; v < V_ALL; v++)
            if (!strcmp(quantity_name(v), known[i].variable)) {
                const int c = find(r, known[i].name);
                if (r->column[v] < 0) r->column[v] = c;
                else if (c >= 0 && c != r->column[v] && (!o->columns || !strstr(o->columns, known[i].variable)))
                    pcs_warn(r->ctx,
                             "%s: both \"%s\" and \"%s\" could be %s: the first is taken; --column %s=NAME says which",
                             r->path, r->head[r->column[v]], r->head[c], quantity_name(v), quantity_name(v));
            }
    if (o->cluster && (r->column[V_RUN] = find(r, o->cluster)) < 0)
        return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: there is no column \"%s\"", r->path, o->cluster);
    const char *missing = r->column[V_N] < 0                            ? "N (parameters)"
                          : r->column[V_LOSS] < 0                       ? "loss"
                          : r->column[V_D] < 0 && r->column[V_FLOP] < 0 ? "D (tokens), nor of FLOP"
                                                                        : NULL;
    if (missing)
        return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: no column of %s; --column %.*s=NAME says which it is", r->path,
                        missing, (int)strcspn(missing, " "), missing);
    return conditions(r, o->where);
}

static precis_status read_number(const reader *r, int v, double *out)
{
    const int c = r->column[v];
    const field *f = &r->fields[c];
    char buf[64], *end;
    if (!f->len) return fail(r, c, "nothing is there");
    if (f->len >= sizeof buf) return fail(r, c, "that is no number");
    memcpy(buf, f->text, f->len);
    buf[f->len] = 0;
    *out = strtod(buf, &end);
    if (*end) return fail(r, c, "\"%s\" is no number", buf);
    if (!isfinite(*out)) return fail(r, c, "%s is not finite", buf);
    const bool zero = v == PCS_VAR_sparsity || v == PCS_VAR_qat || v == PCS_VAR_mantissa || v == PCS_VAR_exponent;
    if (*out < 0 || (!zero && *out <= 0)) return fail(r, c, "%s is not positive", buf);
    return PRECIS_OK;
}

static precis_status run_of(reader *r, pcs_map *runs, pcs_table *t, size_t row)
{
    t->run[row] = (uint32_t)row;
    if (r->column[V_RUN] < 0) {
        t->runs = row + 1;
        return PRECIS_OK;
    }
    const field *f = &r->fields[r->column[V_RUN]];
    const char *key = pcs_arena_copy(&r->arena, f->text, f->len);
    bool existed;
    if (!key) return PRECIS_ENOMEM;
    const precis_status st = pcs_map_put(runs, key, f->len, (uint32_t)t->runs, &existed);
    if (st) return st;
    if (existed) pcs_map_get(runs, key, f->len, &t->run[row]);
    else t->run[row] = (uint32_t)t->runs++;
    return PRECIS_OK;
}

static precis_status rows(precis_ctx *ctx, reader *r, pcs_table *t)
{
    size_t cap = 0;
    pcs_map runs;
    pcs_map_init(&runs, ctx);
    precis_status st = PRECIS_OK;
    for (bool more; !st;) {
        if (pcs_stopped(ctx, t->rows) && (st = pcs_progress(ctx, "read", t->rows, t->rows + 1))) break;
        st = record(r, &more);
        if (st || !more) break;
        if (r->n_fields == 1 && !r->fields[0].len) continue;
        t->rows++;
        if (r->n_fields != r->n_columns)
            st = fail(r, -1, "%d fields, and the header has %d", r->n_fields, r->n_columns);
        if (!st && t->n == ROWS) st = fail(r, -1, "more than %d rows", ROWS);
        if (st || !taken(r)) continue;
        if (t->n == cap) {
            const size_t old = cap;
            cap = cap ? 2 * cap : 256;
            void *a = pcs_grow(ctx, t->values, old * PCS_VARS * sizeof(double), cap * PCS_VARS, sizeof(double));
            if (a) t->values = a;
            void *b = pcs_grow(ctx, t->loss, old * sizeof(double), cap, sizeof(double));
            if (b) t->loss = b;
            void *c = pcs_grow(ctx, t->run, old * sizeof(uint32_t), cap, sizeof(uint32_t));
            if (c) t->run = c;
            void *d = pcs_grow(ctx, t->line, old * sizeof(int), cap, sizeof(int));
            if (d) t->line = d;
            if (!a || !b || !c || !d) st = PRECIS_ENOMEM;
            if (st) break;
        }
        double *v = t->values + t->n * PCS_VARS, flop = 0;
        for (int i = 0; i < PCS_VARS && !st; i++) {
            v[i] = pcs_variables[i].usual;
            if (r->column[i] >= 0) st = read_number(r, i, &v[i]);
        }
        if (!st && r->column[PCS_VAR_D] < 0) {
            st = read_number(r, V_FLOP, &flop);
            v[PCS_VAR_D] = flop / (6 * v[PCS_VAR_N]);
        }
        if (!st) st = read_number(r, V_LOSS, &t->loss[t->n]);
        if (!st) st = run_of(r, &runs, t, t->n);
        t->line[t->n] = r->line;
        t->n += !st;
    }
    for (int i = 0; i < PCS_VARS; i++) t->given[i] = r->column[i] >= 0 || i == PCS_VAR_D;
    pcs_map_free(&runs);
    return st;
}

/* Rows that say the same: most likely one run, entered twice. */
static void duplicates(precis_ctx *ctx, const char *path, const pcs_table *t)
{
    if (t->n > 20000) return; /* the check is quadratic */
    size_t n = 0;
    int a = 0, b = 0;
    for (size_t i = 1; i < t->n; i++)
        for (size_t k = 0; k < i; k++) {
            bool same = t->loss[i] == t->loss[k];
            for (int v = 0; v < PCS_VARS && same; v++)
                same = t->values[i * PCS_VARS + v] == t->values[k * PCS_VARS + v] || isnan(t->values[i * PCS_VARS + v]);
            if (!same) continue;
            if (!n++) a = t->line[k], b = t->line[i];
            break;
        }
    if (n)
        pcs_warn(ctx, "%s: %zu row%s are the same as one before (rows %d and %d first); each counts", path, n,
                 n > 1 ? "s" : "", a, b);
}

static void drop(pcs_table *t, uint32_t k)
{
    for (; k && t->n; k--) {
        size_t top = 0;
        for (size_t i = 1; i < t->n; i++)
            if (t->loss[i] > t->loss[top]) top = i;
        t->n--;
        memmove(t->loss + top, t->loss + top + 1, (t->n - top) * sizeof *t->loss);
        memmove(t->line + top, t->line + top + 1, (t->n - top) * sizeof *t->line);
        memmove(t->run + top, t->run + top + 1, (t->n - top) * sizeof *t->run);
        memmove(t->values + top * PCS_VARS, t->values + (top + 1) * PCS_VARS,
                (t->n - top) * PCS_VARS * sizeof *t->values);
    }
}

precis_status pcs_table_open(precis_ctx *ctx, pcs_table *t, const char *path, const precis_law_fit_options *o)
{
    *t = (pcs_table){ 0 };
    char *text = NULL;
    size_t len = 0;
    reader *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    precis_status st = pcs_text_slurp(ctx, path, FILE_BYTES, PRECIS_INPUT_TABLE, &text, &len);
    *r = (reader){ .ctx = ctx, .path = path, .p = text, .end = text ? text + len : NULL, .text = text };
    pcs_arena_init(&r->arena, ctx);
    if (!st) st = header(r, o);
    if (!st) st = rows(ctx, r, t);
    pcs_arena_free(&r->arena);
    pcs_free(ctx, text);
    pcs_free(ctx, r);
    if (!st && !t->n) st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: none of its %zu rows is taken", path, t->rows);
    if (!st) duplicates(ctx, path, t);
    if (!st && o->drop_highest >= t->n)
        st = pcs_fail(ctx, PRECIS_EINVAL, "%u rows cannot be dropped from %zu", o->drop_highest, t->n);
    if (!st) drop(t, o->drop_highest);
    if (!st && o->drop_highest) { /* runs that lost all their rows are none */
        uint32_t *seen = pcs_alloc(ctx, t->runs, sizeof *seen);
        size_t runs = 0;
        if (!seen) st = PRECIS_ENOMEM;
        for (size_t i = 0; i < t->n && seen; i++) {
            if (!seen[t->run[i]]) seen[t->run[i]] = (uint32_t)++runs;
            t->run[i] = seen[t->run[i]] - 1;
        }
        t->runs = runs;
        pcs_free(ctx, seen);
    }
    if (st) pcs_table_close(ctx, t);
    return st;
}

void pcs_table_close(precis_ctx *ctx, pcs_table *t)
{
    pcs_free(ctx, t->values);
    pcs_free(ctx, t->loss);
    pcs_free(ctx, t->run);
    pcs_free(ctx, t->line);
    *t = (pcs_table){ 0 };
}
