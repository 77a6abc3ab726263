/* write.h - files that appear whole or not at all.
 *
 * Every output goes to a file without a name in the target's folder; it is synced, read back and compared by
 * SHA-256, and only then named. A failure, a full disk or a signal leaves the target as it was. */
#ifndef PCS_WRITE_H
#define PCS_WRITE_H

#include "base/sha256.h"
#include "model/model.h"

typedef struct pcs_out {
    precis_ctx *ctx;
    const precis_model *source; /* what it is made from, which must be as long at the end as it was; may be NULL */
    /* its name; the hidden one, "" while it has none; where it waits, with a slash behind */
    char *path, *temp, *folder;
    size_t room;                /* of temp */
    int fd;
    uint64_t at, drained; /* bytes added; of them in the file */
    pcs_sha256 hash;
    unsigned char *buf, *full; /* what is filled, and what waits to be written */
    size_t n_buf, n_full;
    int error;                 /* errno of a write that failed */
    uint64_t refused;          /* precis_ctx_refused when it was opened */
    char sha256[65];           /* of the whole file, once it is committed */
} pcs_out;

/* How a file is begun; what is left out is 0. */
typedef struct pcs_out_how {
    const char *path;
    uint64_t bytes;             /* room on the disk that is asked for before work starts */
    const precis_model *source; /* the target must be none of its files */
    const char *wait;           /* folder, with a slash behind, in which it waits for its name; NULL: the path's own */
    bool secret;                /* for its owner alone */
} pcs_out_how;

/* What errno says of a path: PRECIS_ENOSPC or PRECIS_EIO. what: "written". */
precis_status pcs_io_fail(precis_ctx *ctx, const char *path, const char *what);
/* Can a file of `bytes` be written there? Before work starts, and again by pcs_out_open. */
precis_status pcs_out_check(precis_ctx *ctx, const char *path, uint64_t bytes, const precis_model *source);
/* Refuses a target that is one of the model's own files (source may be NULL), and a disk without room for `bytes`. */
precis_status pcs_out_open(precis_ctx *ctx, pcs_out *o, const char *path, uint64_t bytes, const precis_model *source);
precis_status pcs_out_begin(precis_ctx *ctx, pcs_out *o, const pcs_out_how *how);
precis_status pcs_out_add(pcs_out *o, const void *data, size_t len);
precis_status pcs_out_pad(pcs_out *o, uint64_t align);
/* Hashes and writes what waits, if anything does. pcs_out_add does it when it must; a thread may do it meanwhile, while
 * no other calls anything for o. */
void pcs_out_drain(pcs_out *o);
/* Sync and verify: whole on the disk, and without its name. PRECIS_EFORMAT when the source became shorter or longer. */
precis_status pcs_out_finish(pcs_out *o);
/* A path under which this process can open it meanwhile. */
void pcs_out_self(const pcs_out *o, char *path, size_t room);
/* Finished files get their names one after the other under a lock on the folder, which other writers of several take
 * too: files that belong together are of one run. The first is the one that the others describe: when one of those
 * cannot be named, no older one stays in its place. */
precis_status pcs_out_name(precis_ctx *ctx, pcs_out *const *outs, size_t n);
/* The same where no file of these names is yet: all or none. */
precis_status pcs_out_name_new(precis_ctx *ctx, pcs_out *const *outs, size_t n);
/* Finish and name. */
precis_status pcs_out_commit(pcs_out *o);
/* After a failure, and after commit: frees; removes what is not committed. */
void pcs_out_close(pcs_out *o);
/* A small file in one call. */
precis_status pcs_write_file(precis_ctx *ctx, const char *path, const void *data, size_t len);
/* The part of a path after its last slash. A file that waits gets its hidden name (for place.c). */
const char *pcs_base_name(const char *path);
precis_status pcs_out_hide(pcs_out *o);

/* ---- a folder that appears whole or not at all -------------------------------------------------------- */
enum { PCS_FOLDER_FILES = 24 };
typedef struct pcs_out_folder {
    precis_ctx *ctx;
    char *path, *wait; /* its name, without slashes behind; the folder that it is made in, with one */
    pcs_out files[PCS_FOLDER_FILES];
    size_t n;
} pcs_out_folder;

/* Refuses what exists and is no empty folder. */
precis_status pcs_out_folder_open(precis_ctx *ctx, pcs_out_folder *d, const char *path);
/* A file of the folder, begun; the caller adds to it and finishes it. */
precis_status pcs_out_folder_begin(pcs_out_folder *d, const char *name, uint64_t bytes, pcs_out **o);
precis_status pcs_out_folder_add(pcs_out_folder *d, const char *name, const void *data, size_t len);
/* Names all in a hidden folder, asks `check` (NULL: nothing) about it, and gives it its name. */
typedef precis_status pcs_folder_check(void *user, const char *path);
precis_status pcs_out_folder_commit(pcs_out_folder *d, pcs_folder_check *check, void *user);
void pcs_out_folder_close(pcs_out_folder *d);

/* ---- GGUF ------------------------------------------------------------------------------------------- */
typedef struct pcs_gguf_tensor {
    const char *name;
    const pcs_format *format;
    uint32_t dims;
    int64_t ne[PCS_MAX_DIMS];
    uint64_t bytes;
    bool panels; /* its bytes are panels (kernel/panels.h) of ne[0] weights */
} pcs_gguf_tensor;

/* Rows of k weights that are written as panels. *doubtful becomes true when a number of theirs may not be finite
 * (model/finite.h); NULL: nobody looks. */
typedef struct pcs_paneling { const pcs_format *f; size_t k; bool *doubtful; } pcs_paneling;

/* Can kernels read these matrices as panels (an expert must begin with one)? How many bytes has one? The last writes n
 * rows so: a multiple of 16, but for the last ones. */
bool pcs_packs(const pcs_format *f, uint32_t dims, const int64_t *ne);
uint64_t pcs_packed_bytes(const pcs_format *f, uint32_t dims, const int64_t *ne);
precis_status pcs_out_panels(pcs_out *o, const pcs_paneling *w, const uint8_t *rows, uint64_t n);

/* Writes tensor i's bytes with pcs_out_add. */
typedef precis_status pcs_gguf_fill(void *user, pcs_out *o, size_t i);

/* A text that describes a file and stands beside it: asked for when the file is whole and has no name yet; both are
 * named together. */
typedef struct pcs_beside {
    const char *suffix; /* of the file's path */
    /* the user's, until the writer returns; of: what it describes */
    precis_status (*text)(void *user, const pcs_out *of, const char **text, size_t *len);
    void *user;
} pcs_beside;
/* A file that is finished gets its name, and so does the text beside it (NULL: there is none), or neither does. */
precis_status pcs_out_name_beside(pcs_out *o, const pcs_beside *beside);

typedef struct pcs_gguf_file {
    const pcs_key *keys;
    size_t n_keys;
    const pcs_gguf_tensor *tensors;
    size_t n_tensors;
    pcs_gguf_fill *fill;
    void *user;
    const precis_model *source; /* may be NULL */
    uint32_t align;             /* 0: 32 */
    char *sha256;               /* [65]: of the file; NULL: not asked for */
    const pcs_beside *beside;   /* or NULL */
} pcs_gguf_file;

/* What stands for a tokenizer in a model that has none. */
extern const pcs_key pcs_no_tokenizer;
/* PRECIS_EUNSUPPORTED when a GGUF cannot hold one of the model's tensors: asked before work starts. */
precis_status pcs_gguf_holds(precis_ctx *ctx, const precis_model *m);
/* Keys of the file that was read and that the writer makes itself, or has no use for. */
bool pcs_gguf_drops(const pcs_key *k);
/* Opens what was written by precis's own reader and compares keys, names, shapes, types and places with what was meant
 * (readback.c). offsets: of each tensor's bytes. */
precis_status pcs_gguf_read_back(precis_ctx *ctx, const pcs_out *o, const pcs_gguf_file *f, const uint64_t *offsets);
/* GGUF version 3; read back before it has its name. *bytes: size of the whole file, also without writing (path
 * NULL). */
precis_status pcs_write_gguf(precis_ctx *ctx, const char *path, const pcs_gguf_file *f, uint64_t *bytes);

#endif
