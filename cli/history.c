/* history.c - results of evaluations in a SQLite file, and where a version is worse than the one before it. */
#include "eval.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 64, MEASURES = 512 };

static const char schema[] = "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, at TEXT NOT NULL, precis TEXT "
                             "NOT NULL, name TEXT NOT NULL, model_sha256 TEXT NOT NULL, reference_sha256 TEXT,"
                             " settings TEXT NOT NULL, verdict TEXT);"
                             "CREATE TABLE IF NOT EXISTS results (run INTEGER NOT NULL REFERENCES runs(id), measure "
                             "TEXT NOT NULL, domain TEXT NOT NULL, data_sha256 TEXT NOT NULL, items INTEGER NOT NULL,"
                             " mean REAL NOT NULL, se REAL NOT NULL, verdict TEXT, vals BLOB NOT NULL);"
                             "CREATE INDEX IF NOT EXISTS results_run ON results (run);"
                             "PRAGMA user_version = 1;";

/* The user's own file: $XDG_STATE_HOME/precis/results.sqlite; its folder is made. False: there is no such place. */
static bool own_file(char path[4096])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char folder[4000];
    int n = -1;
    if (state && *state) n = snprintf(folder, sizeof folder, "%s/precis", state);
    else if (home && *home) n = snprintf(folder, sizeof folder, "%s/.local/state/precis", home);
    if (n < 0 || n > 3907) return false;
    for (char *p = folder + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(folder, 0777);
            *p = '/';
        }
    mkdir(folder, 0777);
    snprintf(path, 4096, "%s/results.sqlite", folder);
    return true;
}

static int broken(const cli *c, sqlite3 *db, const char *path)
{
    /* SQLite tells ENOSPC alone from other errors of a write, and keeps no errno of them. */
    const int os = errno, code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    const int open_error = db && code == SQLITE_CANTOPEN ? sqlite3_system_errno(db) : 0;
    const bool full = code == SQLITE_FULL || (code == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT || os == EFBIG)),
               none = open_error == EMFILE || open_error == ENFILE || open_error == ENOMEM;
    cli_error(c, "%s: %s", path, db ? sqlite3_errmsg(db) : "out of memory");
    sqlite3_close(db);
    return full || none || code == SQLITE_NOMEM ? EXIT_RESOURCES : EXIT_INPUT;
}

/* Opened and with its tables; -1 or an exit code. */
static int open_results(const cli *c, const char *path, bool make, sqlite3 **db)
{
    *db = NULL;
    const precis_status st =
        make && access(path, F_OK) ? PRECIS_OK : precis_input_check(c->ctx, path); /* sqlite would wait for a pipe */
    if (st) return cli_fail(c, st);
    /* Not the road of outputs (src/write/out.c): runs are added to a database that others have
     * open, and SQLite's journal makes each whole or nothing. */
    if (sqlite3_open_v2(path, db, make ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY, NULL))
        return broken(c, *db, path);
    sqlite3_busy_timeout(*db, 10000); /* runs side by side write in turn */
    if (make && sqlite3_exec(*db, schema, NULL, NULL, NULL)) return broken(c, *db, path);
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(*db, "PRAGMA user_version", -1, &q, NULL) || sqlite3_step(q) != SQLITE_ROW) {
        sqlite3_finalize(q);
        return broken(c, *db, path);
    }
    const int version = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    if (version == 1) return -1;
    sqlite3_close(*db);
    return cli_error(c, "%s: its tables are of version %d, not 1: it is no file of results, or a newer precis wrote it",
                     path, version);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool put_text(sqlite3_stmt *q, int i, const char *s)
{
    return !(s ? sqlite3_bind_text(q, i, s, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(q, i));
}

/* The columns of a run, in the order of the table. */
enum { AT, PRECIS, NAME, MODEL, REFERENCE, SETTINGS, VERDICT, RUN_COLUMNS };

static bool add_run(sqlite3 *db, const char *const texts[RUN_COLUMNS])
{
    static const char add[] = "INSERT INTO runs (at, precis, name, model_sha256, reference_sha256, settings, verdict) "
                              "VALUES (?,?,?,?,?,?,?)";
    sqlite3_stmt *q = NULL;
    bool ok = !sqlite3_prepare_v2(db, add, -1, &q, NULL);
    for (int i = 0; i < RUN_COLUMNS && ok; i++) ok = put_text(q, i + 1, texts[i]);
    ok = ok && sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return ok;
}

static bool add_measure(sqlite3 *db, int64_t run, const cli_measure *m)
{
    sqlite3_stmt *q = NULL;
    bool ok = !sqlite3_prepare_v2(db, "INSERT INTO results VALUES (?,?,?,?,?,?,?,?,?)", -1, &q, NULL);
    ok = ok && !sqlite3_bind_int64(q, 1, run);
    ok = ok && put_text(q, 2, m->what) && put_text(q, 3, m->domain) && put_text(q, 4, m->data);
    ok = ok && !sqlite3_bind_int64(q, 5, (sqlite3_int64)m->n);
    ok = ok && !sqlite3_bind_double(q, 6, m->mean) && !sqlite3_bind_double(q, 7, m->se);
    ok = ok && put_text(q, 8, m->verdict);
    ok = ok && !sqlite3_bind_blob64(q, 9, m->values, m->n * sizeof *m->values, SQLITE_STATIC);
    ok = ok && sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return ok;
}

int cli_history_add(cli *c, const precis_model *m, const precis_model *ref, const cli_run_figures *figures)
{
    const char *given = cli_get(c, "--results"), *named = cli_get(c, "--name");
    char own[4096], hex[65], ref_hex[65], at[32];
    if (given && !strcmp(given, "none")) return -1;
    if (!given && !own_file(own)) return -1;
    const char *path = given ? given : own;
    precis_status st = precis_model_sha256(m, hex);
    if (!st && ref) st = precis_model_sha256(ref, ref_hex);
    if (st) return cli_fail(c, st);
    const time_t now = time(NULL);
    struct tm tm;
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    const char *const texts[RUN_COLUMNS] = {
        [AT] = at, [PRECIS] = precis_version(), [NAME] = named ? named : last_part(c->args[0]), [MODEL] = hex,
        [REFERENCE] = ref ? ref_hex : NULL, [SETTINGS] = figures->settings, [VERDICT] = figures->verdict
    };
    sqlite3 *db;
    int rc = open_results(c, path, true, &db);
    if (rc < 0) {
        bool ok = !sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) && add_run(db, texts);
        const int64_t run = sqlite3_last_insert_rowid(db);
        for (size_t i = 0; i < figures->n && ok; i++) ok = add_measure(db, run, &figures->measures[i]);
        ok = ok && !sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        if (!ok) rc = broken(c, db, path);
        else sqlite3_close(db);
    }
    if (rc < 0 || given) return rc;
    /* Nobody asked for it: no error. */
    cli_warn(c, "the results could not be kept; --results FILE names another place, --results none keeps none");
    return -1;
}

/* ---- history ----------------------------------------------------------------------------------------------------- */

/* The last run of a series: one measure on the same data against the same reference with the same settings. */
typedef struct { char *key, *model; double mean; float *values; size_t n; } series;
typedef struct { series list[MEASURES]; size_t n; } memory;

/* Is the new version worse than the old one on the same items? The change of the loss, and the gate's test of it. */
static precis_status compare_versions(cli *c, const char *what, const series *old, const float *values, double *change,
                                      precis_gate_result *g)
{
    const size_t n = old->n;
    *g = (precis_gate_result){ .size = sizeof *g, .verdict = PRECIS_UNDECIDED, .p_reject = 1, .p_accept = 1 };
    if (!strncmp(what, "acc", 3) || !strcmp(what, "exact_match")) {
        uint64_t lost = 0, gained = 0;
        for (size_t i = 0; i < n; i++) lost += old->values[i] > values[i], gained += old->values[i] < values[i];
        *change = ((double)gained - (double)lost) / (double)n;
        return precis_gate_accuracy(c->ctx, n, lost, gained, 0, g);
    }
    double *d = cli_grow(NULL, n * sizeof *d), sum = 0;
    if (!d) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) sum += d[i] = (double)values[i] - (double)old->values[i];
    *change = sum / (double)n;
    const precis_status st = precis_gate(c->ctx, d, n, BLOCK, 0, g);
    free(d);
    return st;
}

static series *find(memory *all, const char *key)
{
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->list[i].key, key)) return &all->list[i];
    if (all->n == MEASURES) return NULL;
    series *s = &all->list[all->n++];
    *s = (series){ .key = cli_copy(key) };
    return s;
}

/* Figures of one run, until all of them are known: Holm looks at them together. */
typedef struct { json_t *rows[MEASURES]; precis_gate_result gates[MEASURES]; size_t n; } batch;

/* One stored figure beside the one before it. */
static int one(cli *c, sqlite3_stmt *q, memory *all, batch *b)
{
    const char *at = (const char *)sqlite3_column_text(q, 0), *name = (const char *)sqlite3_column_text(q, 1),
               *model = (const char *)sqlite3_column_text(q, 2), *verdict = (const char *)sqlite3_column_text(q, 3),
               *what = (const char *)sqlite3_column_text(q, 4), *domain = (const char *)sqlite3_column_text(q, 5),
               *key = (const char *)sqlite3_column_text(q, 6);
    const float *values = sqlite3_column_blob(q, 9);
    const size_t n = (size_t)sqlite3_column_bytes(q, 9) / sizeof(float);
    series *s = key && model && what && domain && at && name && b->n < MEASURES ? find(all, key) : NULL;
    if (sqlite3_errcode(sqlite3_db_handle(q)) == SQLITE_NOMEM || (s && !s->key))
        return cli_no_memory(c); /* columns are NULL then, as they are where the file has none */
    if (!s) return cli_error(c, "the file of results is damaged, or has more than %d series", MEASURES);
    const bool before = s->model && s->n == n && n && strcmp(s->model, model);
    double change = NAN;
    precis_gate_result *g = &b->gates[b->n];
    *g = (precis_gate_result){ .size = sizeof *g, .p_reject = 1, .p_accept = 1 };
    if (before) {
        const precis_status st = compare_versions(c, what, s, values, &change, g);
        if (st) return cli_fail(c, st);
    }
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:I}", "at", at, "name", name, "model", model, "measure",
                          what, "of", domain, "mean", sqlite3_column_double(q, 7), "se", sqlite3_column_double(q, 8),
                          "items", (json_int_t)n);
    json_object_set_new(o, "change", isfinite(change) ? json_real(change) : json_null());
    json_object_set_new(o, "verdict", verdict ? json_string(verdict) : json_null());
    b->rows[b->n++] = o;
    char *kept = cli_copy(model);
    float *copy = cli_grow(NULL, n * sizeof *copy + 1);
    if (!o || !kept || !copy) {
        free(kept);
        free(copy);
        return cli_no_memory(c);
    }
    free(s->model);
    free(s->values);
    if (n) memcpy(copy, values, n * sizeof *copy);
    s->model = kept;
    s->values = copy;
    s->n = n;
    return -1;
}

/* The run is complete: mark what is worse or better, print. True: something is worse. */
static bool flush_run(batch *b, json_t *list)
{
    size_t tested = 0, at[MEASURES];
    precis_gate_result g[MEASURES];
    for (size_t i = 0; i < b->n; i++)
        if (json_is_number(json_object_get(b->rows[i], "change"))) at[tested] = i, g[tested++] = b->gates[i];
    precis_gate_holm(g, tested);
    for (size_t i = 0; i < b->n; i++) b->gates[i].verdict = PRECIS_UNDECIDED;
    bool any = false;
    for (size_t i = 0; i < tested; i++) b->gates[at[i]].verdict = g[i].verdict;
    for (size_t i = 0; i < b->n; i++) {
        json_t *o = b->rows[i];
        const bool worse = b->gates[i].verdict == PRECIS_REJECT, better = b->gates[i].verdict == PRECIS_ACCEPT;
        any |= worse;
        json_object_set_new(o, "worse", json_boolean(worse));
        json_object_set_new(o, "better", json_boolean(better));
        if (list) json_array_append(list, o);
        else {
            printf("%-20s  %-24.24s %-13s %-18.18s %11.6g +- %-9.3g", json_string_value(json_object_get(o, "at")),
                   json_string_value(json_object_get(o, "name")), json_string_value(json_object_get(o, "measure")),
                   json_string_value(json_object_get(o, "of")), json_real_value(json_object_get(o, "mean")),
                   json_real_value(json_object_get(o, "se")));
            const char *word = worse ? "WORSE" : better ? "better" : "";
            if (json_is_number(json_object_get(o, "change")))
                printf(" %+11.6g %s", json_real_value(json_object_get(o, "change")), word);
            printf("\n");
        }
        json_decref(o);
    }
    b->n = 0;
    return any;
}

static void forget(memory *all, batch *b)
{
    for (size_t i = 0; all && i < all->n; i++) {
        free(all->list[i].key);
        free(all->list[i].model);
        free(all->list[i].values);
    }
    free(all);
    free(b);
}

typedef struct { size_t rows; bool worse; } history; /* worse: the last version than the one before it */

/* All runs in the order in which they were kept. Returns -1 or an exit code; *step is what SQLite said last. */
static int read_all(cli *c, sqlite3_stmt *q, json_t *list, history *out, int *step)
{
    memory *all = cli_alloc(1, sizeof *all);
    batch *b = cli_alloc(1, sizeof *b);
    int64_t last = -1;
    int rc = -1;
    while (all && b && rc < 0 && (*step = sqlite3_step(q)) == SQLITE_ROW) {
        const int64_t run = sqlite3_column_int64(q, 10);
        if (run != last && !cli_lacks_memory(c)) out->worse = flush_run(b, list);
        last = run;
        rc = one(c, q, all, b);
        out->rows++;
    }
    if (b && b->n && !cli_lacks_memory(c)) out->worse = flush_run(b, list);
    if (!all || !b) rc = cli_no_memory(c);
    forget(all, b);
    return rc;
}

int cli_history_show(cli *c)
{
    static const char select[] =
        "SELECT at, name, model_sha256, results.verdict, measure, domain, measure || '|' || domain || '|' || "
        "data_sha256 || '|' || settings || '|' || coalesce(reference_sha256, ''), mean, se, vals, run FROM results "
        "JOIN runs ON runs.id = run WHERE ?1 IS NULL OR name = ?1 ORDER BY run, results.rowid";
    char own[4096];
    const char *path = cli_get(c, "--results");
    if (c->n_args) return cli_usage(c, "--history takes no model; --name NAME picks those of one name");
    if (!path && !own_file(own))
        return cli_usage(c, "--history: neither HOME nor XDG_STATE_HOME is set; name the file with --results");
    if (!path) path = own;
    struct stat sb;
    if (stat(path, &sb)) return cli_error(c, "%s: %s; precis eval --gate writes it", path, strerror(errno));
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    int rc = open_results(c, path, false, &db), step = SQLITE_DONE;
    if (rc >= 0) return rc;
    if (sqlite3_prepare_v2(db, select, -1, &q, NULL) || !put_text(q, 1, cli_get(c, "--name")))
        return sqlite3_finalize(q), broken(c, db, path);
    json_t *list = c->json ? json_array() : NULL;
    history h = { 0 };
    if (!c->json)
        printf("%-20s  %-24s %-13s %-18s %11s %-12s %11s\n", "at", "name", "measure", "of", "mean", "", "change");
    rc = read_all(c, q, list, &h, &step);
    sqlite3_finalize(q);
    if (rc < 0 && step != SQLITE_DONE) {
        json_decref(list);
        return broken(c, db, path);
    }
    sqlite3_close(db);
    if (rc >= 0) {
        json_decref(list);
        return rc;
    }
    if (c->json) rc = cli_print_json(c, json_pack("{s:s, s:o, s:b}", "file", path, "rows", list, "worse", h.worse));
    else {
        const char *verdict = "the last version is no worse than the one before it, as far as these items tell";
        if (h.worse) verdict = "the last version is WORSE than the one before it";
        printf("%s\n", h.rows ? verdict : "no results yet");
        rc = cli_done(c);
    }
    return rc ? rc : h.worse ? EXIT_NEGATIVE : EXIT_DONE;
}
