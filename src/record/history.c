/* history.c - results of evaluations in a SQLite file. Built without SQLite, precis keeps none and says so. */
#include "record/history.h"

#include "base/options.h"
#include "base/parts.h"

#include <stdio.h>
#include <stdlib.h>

int precis_history_path(char path[PRECIS_HISTORY_PATH])
{
    static const char name[] = "/results.sqlite";
    if (!precis_user_folder(PRECIS_USER_STATE, NULL, 0, path, PRECIS_HISTORY_PATH - sizeof name)) return 0;
    memcpy(path + strlen(path), name, sizeof name);
    return 1;
}

#if PCS_HAVE_SQLITE

#include "precis/input.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char schema[] = "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, at TEXT NOT NULL, precis TEXT "
                             "NOT NULL, name TEXT NOT NULL, model_sha256 TEXT NOT NULL, reference_sha256 TEXT,"
                             " settings TEXT NOT NULL, verdict TEXT);"
                             "CREATE TABLE IF NOT EXISTS results (run INTEGER NOT NULL REFERENCES runs(id), measure "
                             "TEXT NOT NULL, domain TEXT NOT NULL, data_sha256 TEXT NOT NULL, items INTEGER NOT NULL,"
                             " mean REAL NOT NULL, se REAL NOT NULL, verdict TEXT, vals BLOB NOT NULL);"
                             "CREATE INDEX IF NOT EXISTS results_run ON results (run);"
                             "PRAGMA user_version = 1;";

int precis_history_available(void) { return 1; }

/* Fails with what SQLite says, and closes the file. */
static precis_status broken(precis_ctx *ctx, sqlite3 *db, const char *path)
{
    /* SQLite tells ENOSPC alone from other errors of a write, and keeps no errno of them. */
    const int os = errno, code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    const int open_error = db && code == SQLITE_CANTOPEN ? sqlite3_system_errno(db) : 0;
    const bool written = code == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT || os == EFBIG);
    const bool none = open_error == EMFILE || open_error == ENFILE || open_error == ENOMEM || code == SQLITE_NOMEM;
    const precis_status st = none ? PRECIS_ENOMEM
        : code == SQLITE_FULL || written ? PRECIS_ENOSPC
        : code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? PRECIS_EFORMAT : PRECIS_EIO;
    pcs_fail(ctx, st, "%s: %s", path, db ? sqlite3_errmsg(db) : "out of memory");
    sqlite3_close(db);
    return st;
}

/* Opened and with its tables. */
static precis_status open_results(precis_ctx *ctx, const char *path, bool make, sqlite3 **db)
{
    *db = NULL;
    /* sqlite would wait for a pipe */
    const precis_status st = make && access(path, F_OK) ? PRECIS_OK : precis_input_check(ctx, path);
    if (st) return st;
    /* Not the road of outputs (src/write/out.c): runs are added to a database that others have
     * open, and SQLite's journal makes each whole or nothing. */
    if (sqlite3_open_v2(path, db, make ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY, NULL))
        return broken(ctx, *db, path);
    sqlite3_busy_timeout(*db, 10000); /* runs side by side write in turn */
    if (make && sqlite3_exec(*db, schema, NULL, NULL, NULL)) return broken(ctx, *db, path);
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(*db, "PRAGMA user_version", -1, &q, NULL) || sqlite3_step(q) != SQLITE_ROW) {
        sqlite3_finalize(q);
        return broken(ctx, *db, path);
    }
    const int version = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    if (version == 1) return PRECIS_OK;
    sqlite3_close(*db);
    return pcs_fail(ctx, PRECIS_EFORMAT,
                    "%s: its tables are of version %d, not 1: it is no file of results, or a newer precis wrote it",
                    path, version);
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

static bool add_measure(sqlite3 *db, int64_t run, const precis_measure *m)
{
    sqlite3_stmt *q = NULL;
    bool ok = !sqlite3_prepare_v2(db, "INSERT INTO results VALUES (?,?,?,?,?,?,?,?,?)", -1, &q, NULL);
    ok = ok && !sqlite3_bind_int64(q, 1, run);
    ok = ok && put_text(q, 2, m->what) && put_text(q, 3, m->of) && put_text(q, 4, m->data_sha256);
    ok = ok && !sqlite3_bind_int64(q, 5, (sqlite3_int64)m->n);
    ok = ok && !sqlite3_bind_double(q, 6, m->mean) && !sqlite3_bind_double(q, 7, m->se);
    ok = ok && put_text(q, 8, m->verdict);
    ok = ok && !sqlite3_bind_blob64(q, 9, m->values, m->n * sizeof *m->values, SQLITE_STATIC);
    ok = ok && sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return ok;
}

/* Measure number i: its struct, and with it the distance to the next, may be an older, shorter one. */
static precis_measure measure_at(const precis_history_run *run, size_t i)
{
    precis_measure m = { .size = sizeof m };
    const uint32_t step = run->measures->size ? run->measures->size : (uint32_t)sizeof m;
    pcs_options_take(&m, sizeof m, (const char *)run->measures + i * step);
    return m;
}

precis_status precis_history_add(precis_ctx *ctx, const char *path, const precis_history_run *given)
{
    precis_history_run own_run = { .size = sizeof own_run }, *run = &own_run;
    pcs_options_take(run, sizeof *run, given);
    char at[32], own[PRECIS_HISTORY_PATH];
    const time_t when = (time_t)run->when;
    struct tm tm;
    if (!run->name || !run->model_sha256 || !run->settings)
        return pcs_fail(ctx, PRECIS_EINVAL, "a run of the history has a name, a model and settings");
    if (!gmtime_r(&when, &tm)) return pcs_fail(ctx, PRECIS_EINVAL, "the time of a run is out of range");
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    const char *const texts[RUN_COLUMNS] = {
        [AT] = at, [PRECIS] = precis_version(), [NAME] = run->name, [MODEL] = run->model_sha256,
        [REFERENCE] = run->reference_sha256, [SETTINGS] = run->settings, [VERDICT] = run->verdict
    };
    if (precis_history_path(own) && !strcmp(own, path))
        precis_user_folder(PRECIS_USER_STATE, NULL, 1, own, sizeof own); /* nobody may have made it yet */
    sqlite3 *db;
    const precis_status st = open_results(ctx, path, true, &db);
    if (st) return st;
    bool ok = !sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) && add_run(db, texts);
    const int64_t id = sqlite3_last_insert_rowid(db);
    for (size_t i = 0; i < run->n && ok; i++) {
        const precis_measure m = measure_at(run, i);
        ok = add_measure(db, id, &m);
    }
    ok = ok && !sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (!ok) return broken(ctx, db, path);
    sqlite3_close(db);
    return PRECIS_OK;
}

/* One row of the file; its texts hold until the next step. */
static precis_status take_row(precis_ctx *ctx, sqlite3_stmt *q, const char *path, pcs_history_figure *f)
{
    const char *texts[7];
    for (int i = 0; i < 7; i++) texts[i] = (const char *)sqlite3_column_text(q, i);
    *f = (pcs_history_figure){ .at = texts[0], .name = texts[1], .model = texts[2], .verdict = texts[3],
                               .what = texts[4], .of = texts[5], .key = texts[6] };
    f->mean = sqlite3_column_double(q, 7);
    f->se = sqlite3_column_double(q, 8);
    f->values = sqlite3_column_blob(q, 9);
    f->n = (size_t)sqlite3_column_bytes(q, 9) / sizeof(float);
    f->run = sqlite3_column_int64(q, 10);
    /* columns are NULL then, as they are where the file has none */
    if (sqlite3_errcode(sqlite3_db_handle(q)) == SQLITE_NOMEM) return pcs_fail(ctx, PRECIS_ENOMEM, "out of memory");
    if (f->at && f->name && f->model && f->what && f->of && f->key) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EFORMAT, "%s: the file of results is damaged: a row has no name", path);
}

precis_status precis_history_read(precis_ctx *ctx, const char *path, const char *name, precis_history_fn *fn,
                                  void *user, precis_history *result)
{
    static const char select[] =
        "SELECT at, name, model_sha256, results.verdict, measure, domain, measure || '|' || domain || '|' || "
        "data_sha256 || '|' || settings || '|' || coalesce(reference_sha256, ''), mean, se, vals, run FROM results "
        "JOIN runs ON runs.id = run WHERE ?1 IS NULL OR name = ?1 ORDER BY run, results.rowid";
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    pcs_versions *versions = NULL;
    pcs_history_figure f;
    int step = SQLITE_DONE;
    precis_history found = { .size = sizeof found };
    pcs_options_give(result, &found, sizeof found);
    precis_status st = open_results(ctx, path, false, &db);
    if (st) return st;
    if (sqlite3_prepare_v2(db, select, -1, &q, NULL) || !put_text(q, 1, name))
        return sqlite3_finalize(q), broken(ctx, db, path);
    st = pcs_versions_open(ctx, &versions, fn, user);
    while (!st && (step = sqlite3_step(q)) == SQLITE_ROW) {
        st = take_row(ctx, q, path, &f);
        if (!st) st = pcs_versions_add(versions, &f);
        found.rows += !st;
    }
    bool last = false;
    if (!st && step == SQLITE_DONE) pcs_versions_end(versions, &last);
    found.worse = last;
    pcs_options_give(result, &found, sizeof found);
    pcs_versions_close(&versions);
    sqlite3_finalize(q);
    if (!st && step != SQLITE_DONE) return broken(ctx, db, path);
    sqlite3_close(db);
    return st;
}

#else /* built without SQLite */

static precis_status cannot(precis_ctx *ctx, const char *path)
{
    char what[PRECIS_HISTORY_PATH + 64];
    snprintf(what, sizeof what, "%s: a history of results", path);
    return pcs_part_need(ctx, PCS_PART_SQLITE, what);
}

int precis_history_available(void) { return 0; }

precis_status precis_history_add(precis_ctx *ctx, const char *path, const precis_history_run *run)
{
    (void)run;
    return cannot(ctx, path);
}

precis_status precis_history_read(precis_ctx *ctx, const char *path, const char *name, precis_history_fn *fn,
                                  void *user, precis_history *result)
{
    const precis_history none = { .size = sizeof none };
    (void)name, (void)fn, (void)user;
    pcs_options_give(result, &none, sizeof none);
    return cannot(ctx, path);
}

#endif
