/* precis tokenize - text to token ids. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--prompt", 'p', "TEXT", "the text" },
    { "--text", 0, "FILE", "the text of a file (- is stdin)" },
    { "--file", 'f', "FILE", "the same, as run has it" },
    { "--render", 0, "TEMPLATE", "print the rendering of a chat template (a file) instead; MODEL is not needed" },
    { "--message", 0, "ROLE=TEXT", "a message for --render (more than once)" },
    { "--generation", 0, NULL, "with --render: end with the prompt for an answer" },
    { "--bos", 0, "TEXT", "with --render: bos_token" },
    { "--eos", 0, "TEXT", "with --render: eos_token" },
    { "--no-special", 0, NULL, "neither add nor parse special tokens" },
    { "--batch", 0, NULL, "the file holds texts that end in a NUL byte each: print the ids of each on a line" },
    { "--train", 0, "FILE", "learn a byte-level BPE from texts (more than once, or FILES behind it)" },
    { "--vocab", 0, "N", "with --train: tokens, the 256 bytes among them" },
    { "--output", 'o', "OUT.json", "with --train: the tokenizer.json" },
    { "--pieces", 0, NULL, "print each token's bytes beside its id" },
    { 0 },
};

/* Millions of ids: printf and a JSON tree would take most of the time. */
static void print_ids(const int32_t *ids, size_t n, const char *between)
{
    static char buf[65536];
    size_t used = 0;
    const size_t gap = strlen(between);
    for (size_t i = 0; i < n; i++) {
        if (used + gap + 12 > sizeof buf) {
            fwrite(buf, 1, used, stdout);
            used = 0;
        }
        if (i) memcpy(buf + used, between, gap), used += gap;
        char digits[12];
        int k = 0;
        uint32_t v = ids[i] < 0 ? 0u - (uint32_t)ids[i] : (uint32_t)ids[i];
        do digits[k++] = (char)('0' + v % 10);
        while (v /= 10);
        if (ids[i] < 0) buf[used++] = '-';
        while (k) buf[used++] = digits[--k];
    }
    fwrite(buf, 1, used, stdout);
}

static int print_tokens(cli *c, precis_tokenizer *t, const int32_t *ids, size_t n)
{
    if (c->json) {
        printf("{\n \"ids\": [");
        print_ids(ids, n, ", ");
        printf("],\n \"count\": %zu\n}\n", n);
        return cli_done(c);
    }
    if (!cli_has(c, "--pieces")) {
        print_ids(ids, n, " ");
        putchar('\n');
        return cli_done(c);
    }
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *p = precis_tokenizer_piece(t, ids[i], 1, &len);
        printf("%7d  ", ids[i]);
        cli_put_quoted(p, len);
        putchar('\n');
    }
    return cli_done(c);
}

static precis_status batch(cli *c, precis_tokenizer *t, const char *text, size_t len, unsigned flags)
{
    precis_status st = PRECIS_OK;
    for (size_t at = 0; at < len && !st; at += strlen(text + at) + 1) {
        int32_t *ids;
        size_t n;
        st = precis_tokenizer_encode(t, text + at, strlen(text + at), flags, &ids, &n);
        if (!st) print_ids(ids, n, " ");
        if (!st) putchar('\n');
        precis_ids_free(t, ids);
    }
    return st ? st : (cli_done(c) ? PRECIS_EIO : PRECIS_OK);
}

enum { MAX_MESSAGES = 64 };

static int render_chat(cli *c)
{
    precis_message messages[MAX_MESSAGES];
    char *owned[MAX_MESSAGES], *out = NULL;
    size_t n = 0, len;
    char *source;
    int rc = cli_read_text(c, cli_get(c, "--render"), PRECIS_INPUT_TABLE, &source, &len);
    if (rc >= 0) return rc;
    for (const char *m; rc < 0 && n < MAX_MESSAGES && (m = cli_get_nth(c, "--message", (int)n));) {
        char *eq = (owned[n] = cli_copy(m)) ? strchr(owned[n], '=') : NULL;
        if (!owned[n]) return cli_no_memory(c); /* the system takes back what was read */
        if (!eq) rc = cli_usage(c, "--message %s is not ROLE=TEXT", m);
        else *eq = 0, messages[n] = (precis_message){ owned[n], eq + 1 };
        n++;
    }
    if (rc < 0 && cli_get_nth(c, "--message", MAX_MESSAGES))
        rc = cli_usage(c, "--message may be given %d times at most", MAX_MESSAGES);
    if (rc < 0) {
        const precis_status st = precis_chat_render(c->ctx, source, messages, n, cli_has(c, "--generation"),
                                                    cli_get(c, "--bos"), cli_get(c, "--eos"), &out);
        if (st) rc = cli_fail(c, st);
        else if (c->json) rc = cli_print_json(c, json_pack("{s:s}", "text", out));
        else cli_put_text(out, strlen(out)), rc = cli_done(c);
        precis_text_free(c->ctx, out);
    }
    while (n) free(owned[--n]);
    precis_text_free(c->ctx, source);
    return rc;
}

static int train(cli *c)
{
    enum { MOST = 256 };
    const char *paths[MOST], *out = cli_get(c, "--output");
    size_t n = 0;
    int64_t tokens;
    for (const char *p; n < MOST && (p = cli_get_nth(c, "--train", (int)n));) paths[n++] = p;
    for (int i = 0; i < c->n_args && n < MOST; i++) paths[n++] = c->args[i];
    if (!out || !cli_has(c, "--vocab")) return cli_usage(c, "--train FILES --vocab N -o OUT");
    if (!cli_int(c, "--vocab", 256, 256, 1 << 20, &tokens)) return EXIT_USAGE;
    precis_tokenizer_trained r = { .size = sizeof r };
    const precis_status st = precis_tokenizer_train(c->ctx, paths, n, (uint32_t)tokens, out, &r);
    if (st) return cli_fail(c, st);
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:i, s:i, s:s}", "out", out, "tokens", (int)r.tokens, "merges",
                                           (int)r.merges, "sha256", r.sha256));
    printf("%s: %u tokens, %u merges\nsha256 %s\n", out, r.tokens, r.merges, r.sha256);
    return cli_done(c);
}

static int run(cli *c)
{
    if (cli_has(c, "--render")) return render_chat(c);
    if (cli_has(c, "--train")) return train(c);
    if (c->n_args != 1) return cli_usage(c, "usage: precis tokenize MODEL -p TEXT");
    const char *text = cli_get(c, "--prompt"), *other = cli_get(c, "--file");
    const char *file = other ? other : cli_get(c, "--text");
    if (!text == !file || (other && cli_has(c, "--text"))) return cli_usage(c, "give one of -p TEXT and --text FILE");
    size_t len = text ? strlen(text) : 0;
    char *read = NULL;
    const bool many = file && cli_has(c, "--batch");
    const int unread = file ? cli_read_text(c, file, many ? PRECIS_INPUT_TEXTS : PRECIS_INPUT_TEXT, &read, &len) : -1;
    if (unread >= 0 && !other && strpbrk(file, " \n"))
        fprintf(stderr, "(--text names a file; -p takes the text itself)\n");
    if (unread >= 0) return unread;
    precis_model *m = NULL;
    precis_tokenizer *t = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) st = precis_tokenizer_open(c->ctx, &t, m);
    const unsigned flags = cli_has(c, "--no-special") ? 0 : PRECIS_TEXT_ADD | PRECIS_TEXT_PARSE;
    if (!st && many) st = batch(c, t, read, len, flags);
    else if (!st) st = precis_tokenizer_encode(t, file ? read : text, len, flags, &ids, &n);
    const int rc = st ? cli_fail(c, st) : many ? EXIT_DONE : print_tokens(c, t, ids, n);
    if (t) precis_ids_free(t, ids);
    precis_tokenizer_close(&t);
    precis_model_close(&m);
    precis_text_free(c->ctx, read);
    return rc;
}

const cli_command cli_tokenize = {
    "tokenize", "MODEL", "token ids of a text",
    "The tokenizer is the one that the model file carries; it needs no architecture.", 0, 255, options, run,
    "  precis tokenize model.gguf -p 'Hello world' --pieces\n"
    "  precis tokenize --train a.txt b.txt --vocab 4096 -o tokenizer.json\n"
    "  precis tokenize --render template.jinja --message user=Hi --generation\n",
    NULL
};
