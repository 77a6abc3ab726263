/* precis/record.h - what is kept of work that was done: the manifest of a quantized file, and the history of results.
 * Threads: each belongs to its context's thread. */
#ifndef PRECIS_RECORD_H
#define PRECIS_RECORD_H

#include "precis/eval.h"
#include "precis/job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- manifest ---------------------------------------------------------------------------------------- */
/* A file or folder that a job read, the option that named it, and the input of a net that it is for (NULL: all). */
typedef struct precis_manifest_input { const char *option, *path, *name; } precis_manifest_input;

/* How a job was called. All texts are UTF-8. */
typedef struct precis_manifest_options {
    uint32_t    size;        /* sizeof of this struct, set by _INIT                                     */
    const char *model_path;  /* as the caller named it                                                  */
    const char *const *arguments; /* that make the bytes, each a word: "--type", "Q4_K"                 */
    size_t      n_arguments;
    const precis_manifest_input *inputs; /* files that make the bytes; each is hashed                   */
    size_t      n_inputs;
    uint64_t    seed;
    /* how the result was evaluated, which makes no bytes: kept so that a replay evaluates alike */
    const char *const *evaluation;
    size_t      n_evaluation;
    const char *evaluation_text; /* the file of --text; hashed; NULL: none                              */
    /* of a net: nodes that measurements left in float, which a replay takes and measures nothing */
    const char *const *floats;
    size_t      n_floats;
} precis_manifest_options;
#define PRECIS_MANIFEST_OPTIONS_INIT \
    { sizeof(precis_manifest_options), NULL, NULL, 0, NULL, 0, 0, NULL, 0, NULL, NULL, 0 }

/* What a quantized file was made from and how: enough to make it again, byte for byte (docs/json.md). No times, no
 * host. The model and the texts of the options are borrowed until it is closed. model: NULL for a net, of which the
 * file at model_path is hashed in place of its tensors. */
typedef struct precis_manifest precis_manifest;
PRECIS_API precis_status precis_manifest_open(precis_ctx *ctx, precis_manifest **out, const precis_model *model,
                                              const precis_manifest_options *opts);
PRECIS_API void precis_manifest_close(precis_manifest **manifest);
/* What makes the bytes, on one line, which names a job (`resume` of precis_job_options); the manifest's own. The model
 * and the inputs are hashed: PRECIS_EIO where one cannot be read, PRECIS_EINVAL for a text that is no UTF-8. */
PRECIS_API precis_status precis_manifest_key(precis_manifest *manifest, const char **key);
/* A precis_manifest_fn: set `manifest` of precis_job_options to it and `user` to a precis_manifest, and the job writes
 * PATH.manifest.json beside its output. */
PRECIS_API precis_status precis_manifest_text(void *manifest, const precis_job *job, const char **text, size_t *len);
/* A precis_net_manifest_fn likewise, for precis_net_quant_manifest. */
PRECIS_API precis_status precis_manifest_net_text(void *manifest, const char *sha256, uint64_t bytes,
                                                  const char **text, size_t *len);

/* ---- history ----------------------------------------------------------------------------------------- */
/* One figure of one run, with its values in the order of the items. */
typedef struct precis_measure {
    uint32_t     size;       /* sizeof of this struct, set by the caller                                */
    /* "kld", "log_ppl_ratio", "acc", ...; name of the text or task; SHA-256 of the data */
    const char  *what, *of, *data_sha256;
    const float *values;     /* [n], nats; of answers 1: right, 0: wrong                                */
    size_t       n;
    double       mean, se;
    const char  *verdict;    /* NULL: none was asked for                                                */
} precis_measure;

typedef struct precis_history_run {
    uint32_t    size;        /* sizeof of this struct, set by the caller                                */
    const char *name;        /* versions of one thing have one name                                     */
    const char *model_sha256, *reference_sha256; /* of the tensors; reference: NULL, there was none      */
    const char *settings;    /* results of other settings are not compared                              */
    const char *verdict;     /* NULL: none was asked for                                                */
    int64_t     when;        /* seconds since 1970                                                      */
    const precis_measure *measures;
    size_t      n;
} precis_history_run;

/* The user's own folder for what can be made again ($XDG_CACHE_HOME/precis or ~/.cache/precis) or for what was kept
 * ($XDG_STATE_HOME/precis or ~/.local/state/precis), or that of a name in it (NULL: itself). make: it and those above
 * it are made, for the user alone, where they are not there. 0: neither variable holds an absolute path, the path takes
 * more than `room` bytes, or a folder could not be made. Static for the environment. */
typedef enum precis_user_kind { PRECIS_USER_CACHE, PRECIS_USER_STATE } precis_user_kind;
PRECIS_API int precis_user_folder(precis_user_kind kind, const char *name, int make, char *path, size_t room);

/* Can this build keep a history? It is a SQLite file; 0: precis was built without SQLite, and both functions fail with
 * PRECIS_EUNSUPPORTED. */
PRECIS_API int precis_history_available(void);
/* The user's own file, $XDG_STATE_HOME/precis/results.sqlite or that in ~/.local/state; 0: there is no such place.
 * Static for the environment; path has room for PRECIS_HISTORY_PATH bytes. */
enum { PRECIS_HISTORY_PATH = 4096 };
PRECIS_API int precis_history_path(char path[PRECIS_HISTORY_PATH]);
/* Add a run to the file of results, which is made where it is not there. Processes that add side by side wait for each
 * other. PRECIS_EFORMAT: it is no file of results, or of a newer precis; PRECIS_EIO, PRECIS_ENOSPC. */
PRECIS_API precis_status precis_history_add(precis_ctx *ctx, const char *path, const precis_history_run *run);

/* One figure of the history beside the same figure of the version before it. */
typedef struct precis_history_row {
    uint32_t    size;        /* sizeof of this struct                                                   */
    const char *at, *name, *model_sha256, *what, *of;
    const char *verdict;     /* of the gate; NULL: none was asked for                                   */
    double      mean, se;
    size_t      items;
    /* of the loss against another version on the same items (above 0: it lost); NaN: there is none to compare with */
    double      change;
    int         worse, better; /* by the gate's test, over all figures of the run                        */
} precis_history_row;
typedef void precis_history_fn(void *user, const precis_history_row *row);
typedef struct precis_history {
    uint32_t size;  /* sizeof of this struct, set by the caller    */
    int      worse; /* the last run is worse than the one before it */
    size_t   rows;  /* figures that fn was called with              */
} precis_history;
/* Every figure of the runs of a name (NULL: of all), in the order in which they were kept. fn may be NULL.
 * PRECIS_EFORMAT, PRECIS_EIO. */
PRECIS_API precis_status precis_history_read(precis_ctx *ctx, const char *path, const char *name,
                                             precis_history_fn *fn, void *user, precis_history *result);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_RECORD_H */
