/* hub.c - a hub's files by libcurl. What comes goes into FILE.HASH.part, which outlives a cut connection and a kill and
 * gets its name when size and hash are right: it has to be found again by the next call, so it cannot take the
 * road of outputs, whose files have no name before they are whole. */
#include "hub.h"

#include <stdlib.h>
#include <string.h>

#if PCS_HAVE_CURL
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#undef curl_easy_setopt /* macros that look at the arguments' types */
#undef curl_easy_getinfo
#define CURL_CALLS(F) \
    F(curl_global_init) F(curl_easy_init) F(curl_easy_setopt) F(curl_easy_perform) F(curl_easy_getinfo) \
    F(curl_easy_strerror) F(curl_easy_escape) F(curl_free) F(curl_easy_cleanup)
PRECIS_PART_FUNCTIONS("CURL", libcurl, CURL_CALLS)

enum {
    LISTING = 64 << 20, /* bytes of a repository's list at most */
    FILES = 100000,
    TRIES = 5,          /* in a row that bring nothing */
    IDLE = 60,          /* seconds without a byte that end a try */
    WAIT = 120,         /* seconds that a hub may ask us to wait */
};

struct cli_hub {
    const cli *c;
    libcurl lib;
    CURL *curl;
    char endpoint[1024], token[512];
    char why[CURL_ERROR_SIZE];
};

/* ---- opening ------------------------------------------------------------------------------------------ */

/* The first line of a file, if it is there. */
static void read_token(cli_hub *h, const char *path)
{
    char *text;
    size_t len;
    if (precis_input_read(h->c->ctx, path, PRECIS_INPUT_TEXT, sizeof h->token - 1, &text, &len)) return;
    snprintf(h->token, sizeof h->token, "%.*s", (int)strcspn(text, " \r\n"), text);
    precis_text_free(h->c->ctx, text);
}

/* HF_TOKEN, or the file where the hub's own tools keep it. */
static void find_token(cli_hub *h)
{
    const char *token = getenv("HF_TOKEN"), *path = getenv("HF_TOKEN_PATH"), *home = getenv("HF_HOME");
    char file[4096] = "";
    if (token && *token) snprintf(h->token, sizeof h->token, "%s", token);
    else if (path && *path) snprintf(file, sizeof file, "%s", path);
    else if (home && *home) snprintf(file, sizeof file, "%s/token", home);
    else if ((home = getenv("HOME"))) snprintf(file, sizeof file, "%s/.cache/huggingface/token", home);
    if (*file) read_token(h, file);
}

static int on_transfer(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)user, (void)down_total, (void)down, (void)up_total, (void)up;
    return cli_cancel != 0;
}

/* The file of certificate authorities, where this program has to say it; "": there is none; NULL: libcurl knows it. A
 * static program runs on systems of which each keeps its own: OpenSSL's variable, then Debian and Alpine, Fedora, SUSE,
 * BSD. */
static const char *authorities_here(void)
{
#ifdef PRECIS_OWN_LIBCURL
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *given = getenv("SSL_CERT_FILE");
    if (given && *given) return given;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!access(files[i], R_OK)) return files[i];
    return "";
#else
    return NULL;
#endif
}

int cli_hub_open(const cli *c, cli_hub **out)
{
    cli_hub *h = *out = cli_alloc(1, sizeof *h);
    if (!h) return cli_no_memory(c);
    h->c = c;
    const char *endpoint = getenv("HF_ENDPOINT");
    snprintf(h->endpoint, sizeof h->endpoint, "%s", endpoint && *endpoint ? endpoint : "https://huggingface.co");
    for (size_t n = strlen(h->endpoint); n && h->endpoint[n - 1] == '/';) h->endpoint[--n] = 0;
    const bool plain = !strncmp(h->endpoint, "http://", 7); /* a hub of one's own; then, and only then, without TLS */
    if (!plain && strncmp(h->endpoint, "https://", 8))
        return cli_usage(c, "HF_ENDPOINT=%s is no address of a hub (https://...)", h->endpoint);
    find_token(h);
    const precis_status st = libcurl_open(c->ctx, "a model from a hub", &h->lib);
    if (st == PRECIS_EUNSUPPORTED) {
        cli_error(c, "%s. Or fetch the file by other means and name its path", precis_ctx_message(c->ctx));
        return EXIT_INPUT;
    }
    if (st) return cli_fail(c, st);
    h->curl = h->lib.curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : h->lib.curl_easy_init();
    if (!h->curl) return cli_no_memory(c);
    const char *only = plain ? "http,https" : "https";
    if (h->lib.curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, only) ||
        h->lib.curl_easy_setopt(h->curl, CURLOPT_REDIR_PROTOCOLS_STR, only)) {
        cli_error(c, "libcurl is older than 7.85 and cannot be held to HTTPS; take a newer one");
        return EXIT_RESOURCES;
    }
    h->lib.curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->why);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 1L);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_MAXREDIRS, 10L);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, 30L);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_LOW_SPEED_TIME, (long)IDLE);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "precis");
    h->lib.curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, on_transfer);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
    const char *authorities = authorities_here();
    if (authorities && !*authorities && !plain) {
        cli_error(c, "no file of certificate authorities is here, without which no hub can be trusted: install "
                     "ca-certificates, or name one in SSL_CERT_FILE");
        return EXIT_RESOURCES;
    }
    if (authorities) h->lib.curl_easy_setopt(h->curl, CURLOPT_CAINFO, authorities);
    if (*h->token) { /* for the hub alone: libcurl leaves it out where a redirection leads to another host */
        h->lib.curl_easy_setopt(h->curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        h->lib.curl_easy_setopt(h->curl, CURLOPT_XOAUTH2_BEARER, h->token);
    }
    return -1;
}

void cli_hub_close(cli_hub **hub)
{
    if (!*hub) return;
    if ((*hub)->curl) (*hub)->lib.curl_easy_cleanup((*hub)->curl);
    free(*hub);
    *hub = NULL;
}

/* " (https_proxy names a proxy)", of the variables that libcurl looks at: what cannot be reached may be that. */
static const char *proxied(const cli_hub *h, char text[64])
{
    static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy" };
    const size_t n = sizeof names / sizeof *names;
    const bool tls = !strncmp(h->endpoint, "https:", 6);
    *text = 0;
    for (size_t i = tls ? 0 : 2; i < (tls ? n - 1 : n) && !*text; i++) {
        const char *v = getenv(names[i]);
        if (v && *v) snprintf(text, 64, " (%s names a proxy)", names[i]);
    }
    return text;
}

/* Seconds until a busy hub wants to be asked again (Retry-After); 0: it does not say. */
static long asked_wait(const cli_hub *h)
{
    curl_off_t seconds = 0;
    h->lib.curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? (long)seconds : 0;
}

/* May the same be asked again, after so many tries in vain? If so, the time until then has passed. */
static bool wait_again(const cli_hub *h, int fruitless, CURLcode code, long status)
{
    const bool busy = !code && (status >= 500 || status == 429);
    const bool cut = code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
                     code == CURLE_OPERATION_TIMEDOUT;
    const long asked = busy ? asked_wait(h) : 0, seconds = asked > fruitless ? asked : fruitless;
    char line[1200];
    if (!(busy || cut) || fruitless >= TRIES || asked > WAIT || cli_cancel) return false;
    snprintf(line, sizeof line, "%s says %ld; it is asked again in %ld s", h->endpoint, status, seconds);
    if (busy) cli_warn((void *)(uintptr_t)h->c, line);
    for (unsigned left = (unsigned)seconds; left && !cli_cancel;) left = sleep(left);
    return !cli_cancel;
}

/* What a transfer ended with: -1, or an exit code after a message. */
static int verdict(const cli_hub *h, CURLcode code, long status, const char *what)
{
    const cli *c = h->c;
    if (cli_cancel) return EXIT_INTERRUPTED;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT) {
        const char *why = *h->why ? h->why : h->lib.curl_easy_strerror(code);
        char proxy[64];
        cli_error(c, "%s: %s cannot be reached%s: %s", what, h->endpoint, proxied(h, proxy), why);
        return EXIT_RESOURCES;
    }
    if (code) {
        cli_error(c, "%s: %s", what, *h->why ? h->why : h->lib.curl_easy_strerror(code));
        return EXIT_RESOURCES;
    }
    if (status == 200 || status == 206) return -1;
    if (status == 401 || status == 403)
        cli_error(c, "%s: %s says %ld: it is not there, or it %s (HF_TOKEN=... gives a token)", what, h->endpoint,
                  status, *h->token ? "is not for this token" : "needs a token");
    else if (status == 404) cli_error(c, "%s is not at %s", what, h->endpoint);
    else if (asked_wait(h) > 0)
        cli_error(c, "%s: %s says %ld; it asks to try again in %ld s", what, h->endpoint, status, asked_wait(h));
    else cli_error(c, "%s: %s says %ld", what, h->endpoint, status);
    return status >= 500 || status == 429 ? EXIT_RESOURCES : EXIT_INPUT;
}

/* ---- what a repository has ---------------------------------------------------------------------------- */

typedef struct { char *data; size_t len; bool full; } text;

static size_t on_text(char *data, size_t size, size_t n, void *user)
{
    text *t = user;
    char *grown = t->len + n <= LISTING ? cli_grow(t->data, t->len + n + 1) : NULL;
    (void)size;
    if (!grown) {
        t->full = true;
        return 0;
    }
    t->data = grown;
    memcpy(t->data + t->len, data, n);
    t->len += n;
    t->data[t->len] = 0;
    return n;
}

/* A name may lead into folders, and nowhere else. */
static bool is_inside(const char *name)
{
    if (!*name || strlen(name) > 1024 || !cli_is_text(name)) return false;
    for (const char *p = name; *p; p++) {
        const size_t n = strcspn(p, "/");
        if (!n || *p == '.') return false; /* "", "." and "..", and hidden files, which no model needs */
        for (size_t i = 0; i < n; i++)
            if (p[i] == '\\' || (unsigned char)p[i] < 32 || p[i] == 127) return false;
        p += n;
        if (!*p) break;
    }
    return name[strlen(name) - 1] != '/';
}

static bool is_hex(const char *s, size_t n)
{
    return s && strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static bool take_entry(cli_hub_file *f, const json_t *o)
{
    const char *name = json_string_value(json_object_get(o, "rfilename"));
    const json_t *lfs = json_object_get(o, "lfs"), *size = json_object_get(o, "size");
    const char *sha256 = json_string_value(json_object_get(lfs, "sha256"));
    const char *blob = json_string_value(json_object_get(o, "blobId"));
    if (!name || !is_inside(name)) return false;
    *f = (cli_hub_file){ .name = cli_copy(name), .size = UINT64_MAX };
    if (json_is_integer(json_object_get(lfs, "size"))) size = json_object_get(lfs, "size");
    if (json_is_integer(size) && json_integer_value(size) >= 0) f->size = (uint64_t)json_integer_value(size);
    if (is_hex(sha256, 64)) memcpy(f->sha256, sha256, 65);
    else if (is_hex(blob, 40)) memcpy(f->blob, blob, 41);
    return f->name != NULL;
}

static int take_list(cli_hub *h, const json_t *o, cli_repository *out)
{
    const json_t *files = json_object_get(o, "siblings");
    const char *sha = json_string_value(json_object_get(o, "sha"));
    const size_t n = json_array_size(files);
    if (cli_lacks_memory(h->c)) return cli_no_memory(h->c);
    if (!is_hex(sha, 40) || !json_is_array(files) || n > FILES) {
        char *type = NULL; /* libcurl's */
        h->lib.curl_easy_getinfo(h->curl, CURLINFO_CONTENT_TYPE, &type);
        cli_error(h->c, "%s: %s answers with something else than a repository%s", out->name, h->endpoint,
                  type && strstr(type, "html") ? ": a page, as a proxy or a login shows" : "");
        return EXIT_INPUT;
    }
    memcpy(out->revision, sha, 41);
    out->files = cli_alloc(n + 1, sizeof *out->files);
    if (!out->files) return cli_no_memory(h->c);
    for (size_t i = 0; i < n; i++)
        if (take_entry(&out->files[out->n], json_array_get(files, i))) out->n++;
    return cli_lacks_memory(h->c) ? cli_no_memory(h->c) : -1;
}

int cli_hub_list(cli_hub *h, const char *name, const char *revision, cli_repository *out)
{
    char url[4096];
    text t = { NULL, 0, false };
    long status = 0;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name);
    char *escaped = h->lib.curl_easy_escape(h->curl, revision, 0);
    snprintf(url, sizeof url, "%s/api/models/%s/revision/%s?blobs=true", h->endpoint, name, escaped ? escaped : "");
    h->lib.curl_free(escaped);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_URL, url);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_text);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &t);
    h->lib.curl_easy_setopt(h->curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)0);
    CURLcode code;
    int fruitless = 0;
    do { /* what is cut is not asked for again: who waits for a list has seen nothing yet */
        t.len = 0;
        *h->why = 0;
        code = h->lib.curl_easy_perform(h->curl);
        h->lib.curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    } while (!code && status != 200 && wait_again(h, ++fruitless, code, status));
    int rc = verdict(h, code, status, name);
    json_error_t unread;
    json_t *o = rc < 0 && t.data ? cli_json(t.data, t.len, &unread) : NULL;
    if (rc < 0) rc = take_list(h, o, out);
    json_decref(o);
    free(t.data);
    return rc;
}

void cli_repository_free(cli_repository *r)
{
    for (size_t i = 0; i < r->n; i++) free(r->files[i].name);
    free(r->files);
    memset(r, 0, sizeof *r);
}

/* ---- a file ------------------------------------------------------------------------------------------- */

typedef struct {
    cli_hub *h;
    const cli_hub_file *file;
    char path[4096], part[4200];
    int fd;
    uint64_t len;    /* bytes of the part */
    EVP_MD_CTX *hash;
    int error;       /* of a write */
    bool longer;     /* it is longer than the hub said */
    bool checked;    /* the answer's status was looked at */
    bool refused;    /* and it is no answer with the file's bytes */
} transfer;

/* Git hashes "blob SIZE\0" and the bytes. */
static bool begin_hash(transfer *t)
{
    char head[40];
    const int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)t->file->size) + 1;
    const bool large = *t->file->sha256;
    return EVP_DigestInit_ex(t->hash, large ? EVP_sha256() : EVP_sha1(), NULL) &&
           (large || EVP_DigestUpdate(t->hash, head, (size_t)n));
}

static bool hash_is_right(const transfer *t)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    const char *wanted = *t->file->sha256 ? t->file->sha256 : t->file->blob;
    if (!EVP_DigestFinal_ex(t->hash, sum, &n)) return false;
    for (unsigned i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return !*wanted || !strcmp(hex, wanted);
}

/* All bytes of an open file into the hash; their number. */
static bool hash_file(transfer *t, int fd, uint64_t *len)
{
    static char buffer[1 << 16];
    ssize_t n;
    *len = 0;
    if (!begin_hash(t) || lseek(fd, 0, SEEK_SET)) return false;
    while ((n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR && !cli_cancel))
        if (n > 0 && EVP_DigestUpdate(t->hash, buffer, (size_t)n)) *len += (uint64_t)n;
    return n == 0;
}

static size_t on_bytes(char *data, size_t size, size_t n, void *user)
{
    transfer *t = user;
    (void)size;
    if (!t->checked) { /* an error has a body, too; and a server may send all where a part was asked for */
        long status = 0;
        t->h->lib.curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &status);
        t->checked = true;
        t->refused = status != 206 && !(status == 200 && !t->len);
    }
    if (t->refused) return n;
    if (t->file->size != UINT64_MAX && n > t->file->size - t->len) {
        t->longer = true;
        return 0;
    }
    for (size_t done = 0; done < n;) {
        const ssize_t k = write(t->fd, data + done, n - done);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            t->error = k ? errno : EIO;
            return 0;
        }
        done += (size_t)k;
    }
    EVP_DigestUpdate(t->hash, data, n);
    t->len += n;
    cli_progress((void *)(uintptr_t)t->h->c, "pull", t->len, t->file->size == UINT64_MAX ? t->len + 1 : t->file->size);
    return n;
}

/* The folders of a path. */
static bool make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        const bool made = !mkdir(path, 0777) || errno == EEXIST;
        *p = '/';
        if (!made) return false;
    }
    return true;
}

static int failed_to_write(const transfer *t, int error)
{
    cli_error(t->h->c, "%s: %s", t->part, strerror(error));
    return EXIT_RESOURCES;
}

/* From the beginning. */
static int restart(transfer *t)
{
    if (ftruncate(t->fd, 0) || lseek(t->fd, 0, SEEK_SET)) return failed_to_write(t, errno);
    t->len = 0;
    return begin_hash(t) ? -1 : cli_no_memory(t->h->c);
}

/* One try; *status is the server's. */
static CURLcode attempt(transfer *t, const char *url, long *status)
{
    cli_hub *h = t->h;
    CURL *curl = h->curl;
    t->checked = t->refused = false;
    *h->why = 0;
    h->lib.curl_easy_setopt(curl, CURLOPT_URL, url);
    h->lib.curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    h->lib.curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    h->lib.curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->len);
    const CURLcode code = h->lib.curl_easy_perform(curl);
    h->lib.curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return code;
}

/* What ends a transfer whatever the server says: an exit code; -1: nothing did. */
static int stopped(transfer *t)
{
    const cli_hub_file *f = t->file;
    const cli *c = t->h->c;
    if (cli_cancel) {
        cli_error(c, "%s: stopped at %llu bytes; the same command goes on", f->name, (unsigned long long)t->len);
        return EXIT_INTERRUPTED;
    }
    if (t->error) return failed_to_write(t, t->error);
    if (!t->longer) return -1;
    cli_error(c, "%s is longer than the %llu bytes that the hub says", f->name, (unsigned long long)f->size);
    unlink(t->part);
    return EXIT_INPUT;
}

static int receive(transfer *t, const char *url)
{
    const uint64_t size = t->file->size;
    for (int fruitless = 0; size == UINT64_MAX || t->len != size;) {
        long status = 0;
        const uint64_t before = t->len;
        const CURLcode code = attempt(t, url, &status);
        const bool given = status == 200 || status == 206;
        int rc = stopped(t);
        if (rc >= 0) return rc;
        if (before && (status == 416 || status == 200 || code == CURLE_RANGE_ERROR)) { /* no parts are given here */
            if ((rc = restart(t)) >= 0) return rc;
            if (++fruitless > TRIES) return verdict(t->h, code, status, t->file->name);
            continue;
        }
        if (!code && given && size == UINT64_MAX) return -1;
        if (t->len > before && (code || given)) { /* cut: on from here */
            fruitless = 0;
            continue;
        }
        if (!wait_again(t->h, ++fruitless, code, status)) {
            if ((rc = stopped(t)) >= 0) return rc;
            return verdict(t->h, code, code ? 0 : status == 200 ? 500 : status, t->file->name);
        }
    }
    return -1;
}

/* The part's bytes so far, and then the rest of them. */
static int fetch_part(transfer *t, const cli_repository *r)
{
    char url[8192];
    char *name = t->h->lib.curl_easy_escape(t->h->curl, t->file->name, 0);
    if (!name) return cli_no_memory(t->h->c);
    int n = snprintf(url, sizeof url, "%s/%s/resolve/%s/", t->h->endpoint, r->name, r->revision);
    for (const char *p = name; *p && n < (int)sizeof url - 2; p++) { /* but for the folders' strokes */
        const bool stroke = !strncmp(p, "%2F", 3);
        url[n++] = stroke ? '/' : *p;
        p += stroke ? 2 : 0;
    }
    url[n] = 0;
    t->h->lib.curl_free(name);
    uint64_t had;
    if (!hash_file(t, t->fd, &had)) return failed_to_write(t, errno);
    t->len = had;
    int rc = t->file->size != UINT64_MAX && had > t->file->size ? restart(t) : -1;
    if (rc < 0) rc = receive(t, url);
    if (rc >= 0) return rc;
    if (!hash_is_right(t)) {
        unlink(t->part);
        cli_error(t->h->c, "%s: what came has another hash than the hub says; it was removed", t->file->name);
        return EXIT_INPUT;
    }
    if (fsync(t->fd) || rename(t->part, t->path)) return failed_to_write(t, errno);
    return -1;
}

/* Is the file there, as the hub has it? */
static bool is_there(transfer *t)
{
    struct stat st;
    uint64_t len = 0;
    const int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool same = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
                (t->file->size == UINT64_MAX || (uint64_t)st.st_size == t->file->size);
    same = same && hash_file(t, fd, &len) && hash_is_right(t);
    close(fd);
    return same;
}

/* Is what was opened still the part, or has another process just given it its name? */
static bool still_there(const transfer *t)
{
    struct stat open_one, named;
    return !fstat(t->fd, &open_one) && !stat(t->part, &named) && open_one.st_ino == named.st_ino;
}

int cli_hub_fetch(cli_hub *h, const cli_repository *r, size_t i, const char *folder, bool *fetched)
{
    transfer t = { .h = h, .file = &r->files[i], .fd = -1 };
    const char *hash = *t.file->sha256 ? t.file->sha256 : *t.file->blob ? t.file->blob : r->revision;
    const int n = snprintf(t.path, sizeof t.path, "%s/%s", folder, t.file->name);
    *fetched = false;
    if (n < 0 || (size_t)n >= sizeof t.path) return cli_usage(h->c, "%s: the path is too long", t.file->name);
    snprintf(t.part, sizeof t.part, "%s.%.12s.part", t.path, hash);
    if (!(t.hash = EVP_MD_CTX_new())) return cli_no_memory(h->c);
    int rc = -1;
    if (!is_there(&t)) {
        *fetched = true;
        if (make_folders(t.path)) t.fd = open(t.part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (t.fd < 0) rc = failed_to_write(&t, errno);
        else if (flock(t.fd, LOCK_EX | LOCK_NB) || !still_there(&t)) {
            cli_error(h->c, "%s is being fetched by another process", t.file->name);
            rc = EXIT_RESOURCES;
        } else {
            rc = fetch_part(&t, r);
        }
    }
    if (t.fd >= 0) close(t.fd);
    EVP_MD_CTX_free(t.hash);
    cli_progress_clear();
    return rc;
}

#else

int cli_hub_open(const cli *c, cli_hub **out)
{
    *out = NULL;
    return cli_fail(c, precis_part_need(c->ctx, "libcurl", "a model from a hub"));
}

void cli_hub_close(cli_hub **hub) { *hub = NULL; }

int cli_hub_list(cli_hub *h, const char *name, const char *revision, cli_repository *out)
{
    (void)h;
    (void)name;
    (void)revision;
    memset(out, 0, sizeof *out);
    return EXIT_RESOURCES;
}

void cli_repository_free(cli_repository *r) { (void)r; }

int cli_hub_fetch(cli_hub *h, const cli_repository *r, size_t i, const char *folder, bool *fetched)
{
    (void)h;
    (void)r;
    (void)i;
    (void)folder;
    *fetched = false;
    return EXIT_RESOURCES;
}

#endif
