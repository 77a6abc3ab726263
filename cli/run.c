/* precis run - text from a model: one prompt, or a chat on the terminal. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_option options[] = {
    { "--prompt", 'p', "TEXT", "continue this text (without it: a chat)" },
    { "--file", 'f', "FILE", "continue the text of a file (- is stdin)" },
    { "--chat", 'c', NULL, "the prompt is a message: use the model's chat template" },
    { "--system", 0, "TEXT", "system message of the chat" },
    { "--chat-template", 0, "FILE", "a Jinja template in place of the model's" },
    { "--predict", 'n', "N", "tokens at most (default: 256, in a chat until the turn ends)" },
    { "--temp", 0, "T", "temperature; 0 is greedy (default 0.8)" },
    { "--top-k", 0, "K", "sample from the K likeliest (default 40; 0: all)" },
    { "--top-p", 0, "P", "sample from the likeliest that have P together (default 0.95)" },
    { "--min-p", 0, "P", "leave out what is less likely than P times the likeliest (default 0.05)" },
    { "--repeat-penalty", 0, "R", "penalty on the last 64 tokens (default 1: none)" },
    { "--ctx", 0, "N", "context in tokens (default: the model's, at most 4096)" },
    { "--pack", 0, "WHEN", "weights in the kernels' order: background (default), load, cache (a file in ~/.cache/precis/packed, made once) or off; the same tokens" },
    { "--no-lookup", 0, NULL, "do not guess tokens from the text so far (the text is the same; guessing stops by itself where it does not pay)" },
    { "--cache-k", 0, "TYPE", "keys of the KV cache: f32 f16 int8 int4 (default f16)" },
    { "--cache-v", 0, "TYPE", "values of the KV cache" },
    { "--embed", 0, NULL, "encoders: print the embedding of the prompt" },
    { "--lora", 0, "PATH[=SCALE]", "a low-rank adapter beside the weights (more than once for different weights)" },
    { "--weights-only", 0, NULL, "reference arithmetic" },
    { "--ignore-end", 0, NULL, "go on after an end token" },
    { "--input", 0, "NAME=FILE", "a net of arrays (ONNX): a .npy file for an input of it; once for each" },
    { "--output-dir", 0, "OUT", "where its outputs go, as NAME.npy" },
    { "--mem-limit", 0, "SIZE",
      "a net of arrays: private memory that the process may take (600M, 1.5GiB); what would pass it is refused" },
    { 0 },
};

typedef struct {
    cli *c;
    precis_model *m;
    precis_tokenizer *t;
    precis_runner *r;
    precis_sampler *s;
    precis_lookup *lookup;
    precis_runner_info info;
    int64_t predict;
    uint32_t position;
    bool stream;
    char *template; /* of --chat-template, or NULL */
    /* what was made */
    char *text;
    size_t len, cap;
    int32_t *ids;
    size_t n, cap_ids;
} session;

static bool keep(session *s, int32_t id, const char *piece, size_t len)
{
    if (s->len + len + 1 > s->cap) {
        s->cap = 2 * s->cap + len + 256;
        char *grown = cli_grow(s->text, s->cap);
        if (!grown) return false;
        s->text = grown;
    }
    if (s->n + 1 > s->cap_ids) {
        s->cap_ids = 2 * s->cap_ids + 64;
        int32_t *grown = cli_grow(s->ids, s->cap_ids * sizeof *grown);
        if (!grown) return false;
        s->ids = grown;
    }
    memcpy(s->text + s->len, piece, len);
    s->len += len;
    s->text[s->len] = 0;
    s->ids[s->n++] = id;
    return true;
}

/* Read the prompt in; *logits are those of its last token. */
static int prefill(session *s, const int32_t *ids, size_t n, const float **logits)
{
    cli *c = s->c;
    if (!n) return cli_usage(c, "the prompt has no tokens");
    if (s->position + n > s->info.context)
        return cli_usage(c, "the prompt has %zu tokens and %u are in use, the context holds %u; a larger --ctx makes room", n, s->position, s->info.context);
    precis_row *rows = cli_grow(NULL, s->info.batch * sizeof *rows);
    precis_status st = rows ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t at = 0; at < n && !st && !cli_cancel;) {
        uint32_t k = 0;
        for (; k < s->info.batch && at + k < n; k++) {
            if (s->lookup) precis_lookup_read(s->lookup, ids[at + k], s->position);
            rows[k] = (precis_row){ ids[at + k], s->position++, 0, at + k + 1 == n };
            precis_sampler_accept(s->s, ids[at + k]);
        }
        st = precis_runner_decode(s->r, rows, k, logits);
        at += k;
        if (at < n) cli_progress(c, "prompt", at, n);
    }
    cli_progress_clear();
    free(rows);
    return st ? cli_fail(c, st) : cli_cancel ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* Whole characters only: a token may end within one. */
static size_t whole(const char *s, size_t n)
{
    size_t back = 0;
    while (back < n && back < 3 && ((unsigned char)s[n - 1 - back] & 0xc0) == 0x80) back++;
    if (back == n) return n;
    const unsigned char lead = (unsigned char)s[n - 1 - back];
    const size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return need > back + 1 ? n - 1 - back : n;
}

static int generate(session *s, const float *logits, bool chat, bool *ended)
{
    cli *c = s->c;
    size_t shown = s->len;
    *ended = false;
    for (int64_t i = 0; i < s->predict && !cli_cancel; i++) {
        const int32_t id = precis_sampler_next(s->s, logits);
        if (precis_tokenizer_ends(s->t, id) && !cli_has(c, "--ignore-end")) {
            *ended = true;
            if (chat && s->position < s->info.context) { /* the turn's end belongs to the history */
                if (s->lookup) precis_lookup_read(s->lookup, id, s->position);
                const precis_row row = { id, s->position++, 0, 0 };
                const precis_status st = precis_runner_decode(s->r, &row, 1, NULL);
                if (st) return cli_fail(c, st);
            }
            break;
        }
        size_t len;
        const char *piece = precis_tokenizer_piece(s->t, id, 0, &len);
        if (!keep(s, id, piece, len)) return cli_no_memory(c);
        const size_t end = whole(s->text, s->len);
        if (s->stream && end > shown) {
            cli_put_text(s->text + shown, end - shown);
            if (fflush(stdout)) return cli_done(c);
            shown = end;
        }
        if (s->position == s->info.context) {
            cli_error(c, "the context of %u tokens is full; a larger --ctx makes room", s->info.context);
            return EXIT_RESOURCES;
        }
        if (i + 1 == s->predict) break;
        const precis_row row = { id, s->position++, 0, 1 };
        const precis_status st = s->lookup ? precis_lookup_decode(s->lookup, id, row.position, &logits) : precis_runner_decode(s->r, &row, 1, &logits);
        if (st) return cli_fail(c, st);
    }
    if (s->stream && s->len > shown) cli_put_text(s->text + shown, s->len - shown);
    if (s->stream) putchar('\n');
    const precis_status sound =
        cli_cancel ? PRECIS_OK : precis_runner_check(s->r); /* weights are looked at beside the first tokens */
    if (sound) return cli_fail(c, sound);
    return cli_cancel ? EXIT_INTERRUPTED : EXIT_DONE;
}

static const char *special(session *s, int32_t id, char *buf, size_t cap)
{
    size_t len = 0;
    const char *p = id >= 0 ? precis_tokenizer_piece(s->t, id, 1, &len) : "";
    snprintf(buf, cap, "%.*s", (int)len, p);
    return buf;
}

/* Lines "role: content", for models that say nothing of chats. */
static const char plain_template[] = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if "
                                     "add_generation_prompt %}assistant: {% endif %}";

/* The template of the chat; one that is made up is announced. */
static int choose_template(session *s)
{
    size_t len;
    if (!cli_has(s->c, "--chat-template")) {
        if (!precis_model_chat_template(s->m))
            cli_warn(s->c, "the model has no chat template: messages become lines \"role: content\"; --chat-template "
                           "FILE gives one");
        return EXIT_DONE;
    }
    const int rc = cli_read_text(s->c, cli_get(s->c, "--chat-template"), PRECIS_INPUT_TABLE, &s->template, &len);
    return rc < 0 ? EXIT_DONE : rc;
}

static precis_status render(session *s, const precis_message *messages, size_t n, char **out)
{
    char bos[64], eos[64];
    const char *own = precis_model_chat_template(s->m), *source = s->template ? s->template
                                                                  : own       ? own
                                                                              : plain_template;
    return precis_chat_render(s->c->ctx, source, messages, n, 1,
                              special(s, precis_tokenizer_bos(s->t), bos, sizeof bos),
                              special(s, precis_tokenizer_eos(s->t), eos, sizeof eos), out);
}

static int answer(session *s, const char *text, size_t len, unsigned flags, bool chat)
{
    int32_t *ids;
    size_t n;
    bool ended;
    const precis_status st = precis_tokenizer_encode(s->t, text, len, flags, &ids, &n);
    if (st) return cli_fail(s->c, st);
    const float *logits = NULL;
    int rc = prefill(s, ids, n, &logits);
    precis_ids_free(s->t, ids);
    if (rc == EXIT_DONE) rc = generate(s, logits, chat, &ended);
    return rc;
}

/* A template usually writes BOS itself; then it must not be added again. */
static unsigned chat_flags(session *s, const char *text, bool first)
{
    char bos[64];
    special(s, precis_tokenizer_bos(s->t), bos, sizeof bos);
    const bool has = *bos && !strncmp(text, bos, strlen(bos));
    return PRECIS_TEXT_PARSE | PRECIS_TEXT_GUARD | (first && !has ? PRECIS_TEXT_ADD : 0);
}

enum { TURNS = 256 };

/* The messages so far. Contents are guarded: special tokens come from the template alone. */
typedef struct { precis_message m[TURNS]; char *owned[TURNS]; size_t n; } history;

static precis_status say(session *s, history *h, const char *role, const char *text)
{
    const precis_status st = precis_tokenizer_guard(s->t, text, &h->owned[h->n]);
    if (st) return st;
    h->m[h->n] = (precis_message){ role, h->owned[h->n] };
    h->n++;
    return PRECIS_OK;
}

static void forget(session *s, history *h)
{
    while (h->n) precis_text_free(s->c->ctx, h->owned[--h->n]);
}

static int chat_once(session *s, const char *text)
{
    history h = { .n = 0 };
    char *prompt = NULL;
    precis_status st = cli_has(s->c, "--system") ? say(s, &h, "system", cli_get(s->c, "--system")) : PRECIS_OK;
    if (!st) st = say(s, &h, "user", text);
    if (!st) st = render(s, h.m, h.n, &prompt);
    const int rc = st ? cli_fail(s->c, st) : answer(s, prompt, strlen(prompt), chat_flags(s, prompt, true), true);
    precis_text_free(s->c->ctx, prompt);
    forget(s, &h);
    return rc;
}

/* What the cache holds after an answer: the prompt, the answer, and the end of the turn if the template writes it next. */
static char *held_after(session *s, const history *h, const char *prompt)
{
    const char *said = h->m[h->n - 1].content;
    char end[64], *next = NULL;
    special(s, precis_tokenizer_eos(s->t), end, sizeof end);
    char *held = cli_grow(NULL, strlen(prompt) + strlen(said) + sizeof end);
    if (!held) return NULL;
    strcpy(held, prompt);
    strcat(held, said);
    const size_t len = strlen(held);
    if (!render(s, h->m, h->n, &next) && !strncmp(next, held, len) && *end && !strncmp(next + len, end, strlen(end))) strcat(held, end);
    precis_text_free(s->c->ctx, next);
    return held;
}

/* One turn. Each is rendered whole; only what the cache does not have yet is read in. */
static int turn(session *s, history *h, const char *line, char **held)
{
    char *prompt = NULL;
    precis_status st = say(s, h, "user", line);
    if (!st) st = render(s, h->m, h->n, &prompt);
    if (st) return cli_fail(s->c, st);
    const size_t had = *held ? strlen(*held) : 0, from = s->len;
    const bool follows = had && !strncmp(prompt, *held, had); /* if the template rewrote it, begin anew */
    if (!follows) s->position = 0;
    const char *rest = prompt + (follows ? had : 0);
    int rc = answer(s, rest, strlen(rest), chat_flags(s, rest, !follows), true);
    if (rc == EXIT_INTERRUPTED) { /* of this answer only */
        cli_cancel = 0;
        rc = EXIT_DONE;
    }
    free(*held);
    *held = NULL;
    st = say(s, h, "assistant", s->text ? s->text + from : "");
    if (st) rc = cli_fail(s->c, st);
    else *held = held_after(s, h, prompt);
    precis_text_free(s->c->ctx, prompt);
    return rc;
}

static int chat(session *s)
{
    history h = { .n = 0 };
    char line[16384], *held = NULL;
    int rc = EXIT_DONE;
    const bool terminal = isatty(0);
    if (cli_has(s->c, "--system") && say(s, &h, "system", cli_get(s->c, "--system"))) return cli_fail(s->c, PRECIS_ENOMEM);
    if (terminal && !s->c->quiet) fprintf(stderr, "Ctrl-D ends the chat, Ctrl-C stops an answer.\n");
    while (rc == EXIT_DONE && h.n + 2 < TURNS) {
        if (terminal) fprintf(stderr, "\033[1m> \033[0m");
        if (!fgets(line, sizeof line, stdin)) break;
        line[strcspn(line, "\n")] = 0;
        if (*line) rc = turn(s, &h, line, &held);
    }
    forget(s, &h);
    free(held);
    return rc;
}

static int open_session(session *s, precis_runner_options *ro, precis_sampler_options *so)
{
    cli *c = s->c;
    char path[4096];
    snprintf(path, sizeof path, "%s", c->args[0]);
    if (cli_packs_into_cache(c)) {
        if (cli_has(c, "--lora")) return cli_usage(c, "--lora changes weights; --pack cache is of a file as it is");
        const precis_status packed = cli_packed_copy(c, c->args[0], path, sizeof path);
        if (packed) return cli_fail(c, packed);
    }
    precis_status st = cli_has(c, "--lora") ? precis_model_open(c->ctx, &s->m, path) : precis_model_open_to_run(c->ctx, &s->m, path); /* an adapter is added to rows */
    if (!st) {
        const int lora = cli_add_adapters(c, s->m, false);
        if (lora >= 0) return lora;
    }
    if (!st) st = precis_tokenizer_open(c->ctx, &s->t, s->m);
    if (!st) st = precis_runner_open(c->ctx, &s->r, s->m, ro);
    if (!st) precis_runner_get_info(s->r, &s->info);
    if (!st && !cli_has(c, "--no-lookup") && !s->info.encoder) st = precis_lookup_open(c->ctx, &s->lookup, s->r, 0);
    if (!st) st = precis_sampler_open(c->ctx, &s->s, s->info.vocabulary, so);
    return st ? cli_fail(c, st) : EXIT_DONE;
}

static int embed(session *s, const char *text, size_t len)
{
    float *x = cli_grow(NULL, s->info.width * sizeof *x);
    precis_status st = x ? precis_embed_text(s->r, s->t, text, len, x) : PRECIS_ENOMEM;
    if (!st) st = precis_runner_check(s->r);
    int rc = st ? cli_fail(s->c, st) : EXIT_DONE;
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->info.width && !st; i++) {
        json_array_append_new(list, json_real((double)x[i]));
        if (!s->c->json) printf("%s%.8g", i ? " " : "", (double)x[i]);
    }
    free(x);
    if (!st && s->c->json) return cli_print_json(s->c, json_pack("{s:o}", "embedding", list));
    json_decref(list);
    if (!st) putchar('\n');
    return st ? rc : cli_done(s->c);
}

static int print_json(session *s)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < s->n; i++) json_array_append_new(ids, json_integer(s->ids[i]));
    json_t *text = json_stringn(s->text ? s->text : "", whole(s->text ? s->text : "", s->len));
    if (!text) { /* bytes that are no UTF-8: replace them */
        for (size_t i = 0; i < s->len; i++)
            if ((unsigned char)s->text[i] >= 128) s->text[i] = '?';
        text = json_stringn(s->text, s->len);
    }
    precis_lookup_info l = { .size = sizeof l };
    if (s->lookup) precis_lookup_get_info(s->lookup, &l);
    return cli_print_json(s->c, json_pack("{s:o, s:o, s:{s:I, s:I, s:I}}", "text", text, "ids", ids, "lookup", "calls", (json_int_t)l.calls, "drafted", (json_int_t)l.drafted, "accepted", (json_int_t)l.accepted));
}

static int run(cli *c)
{
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_run(c);
    if (cli_has(c, "--input") || cli_has(c, "--output-dir") || cli_has(c, "--mem-limit"))
        return cli_usage(c, "--input, --output-dir and --mem-limit are for nets of arrays (ONNX), which %s is not",
                         c->args[0]);
    session s = { .c = c, .info = { .size = sizeof s.info } };
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    precis_sampler_options so = PRECIS_SAMPLER_OPTIONS_INIT;
    int64_t ctx, top_k;
    double temp, top_p, min_p, penalty;
    const bool talk = !cli_has(c, "--prompt") && !cli_has(c, "--file");
    if (!cli_int(c, "--ctx", 0, 1, 1 << 26, &ctx) || !cli_int(c, "--top-k", 40, 0, 1 << 24, &top_k) || !cli_int(c, "--predict", talk ? 4096 : 256, 0, 1 << 30, &s.predict) ||
        !cli_number(c, "--temp", 0.8, 0, 100, &temp) || !cli_number(c, "--top-p", 0.95, 0, 1, &top_p) || !cli_number(c, "--min-p", 0.05, 0, 1, &min_p) ||
        !cli_number(c, "--repeat-penalty", 1, 0, 100, &penalty))
        return EXIT_USAGE;
    if (talk && c->json) return cli_usage(c, "--json needs a prompt (-p TEXT)");
    if (!talk && !cli_has(c, "--chat") && cli_has(c, "--chat-template"))
        return cli_usage(c, "--chat-template is for a chat (-c, or no prompt)");
    ro.context = (uint32_t)ctx;
    ro.arithmetic = cli_has(c, "--weights-only") ? PRECIS_REFERENCE : PRECIS_FAST;
    ro.k_type = cli_get(c, "--cache-k");
    ro.v_type = cli_get(c, "--cache-v");
    if (!cli_pack(c, PRECIS_PACK_BACKGROUND, &ro.pack)) return EXIT_USAGE;
    so.temperature = (float)temp;
    so.top_k = (int32_t)top_k;
    so.top_p = (float)top_p;
    so.min_p = (float)min_p;
    so.repetition = (float)penalty;
    so.seed = c->seed;
    s.stream = !c->json;
    ro.outputs = 8; /* guessed tokens have logits, too */
    if (cli_has(c, "--embed")) {
        if (talk) return cli_usage(c, "--embed needs a text (-p TEXT or -f FILE)");
        ro.outputs = ro.batch = 512;
    }
    int rc = open_session(&s, &ro, &so);
    if (rc == EXIT_DONE && s.info.encoder != cli_has(c, "--embed"))
        rc = cli_usage(c, s.info.encoder ? "the model is an encoder; --embed prints the embedding of a text" : "the model is no encoder; embeddings come from BERT and its like");
    size_t len = 0;
    char *read = NULL;
    const int unread = rc == EXIT_DONE && cli_has(c, "--file")
                           ? cli_read_text(c, cli_get(c, "--file"), PRECIS_INPUT_TEXT, &read, &len)
                           : -1;
    if (unread >= 0) rc = unread;
    const char *prompt = read ? read : cli_get(c, "--prompt");
    if (rc == EXIT_DONE && (talk || cli_has(c, "--chat"))) rc = choose_template(&s);
    if (rc != EXIT_DONE) {}
    else if (cli_has(c, "--embed")) rc = embed(&s, prompt, read ? len : strlen(prompt));
    else if (talk) rc = chat(&s);
    else if (cli_has(c, "--chat")) rc = chat_once(&s, prompt);
    else rc = answer(&s, prompt, read ? len : strlen(prompt), PRECIS_TEXT_ADD | PRECIS_TEXT_PARSE, false);
    if (cli_has(c, "--embed")) {}
    else if (c->json && rc == EXIT_DONE) rc = print_json(&s);
    else if (rc == EXIT_DONE) rc = cli_done(c);
    precis_text_free(c->ctx, read);
    precis_text_free(c->ctx, s.template);
    free(s.text);
    free(s.ids);
    precis_lookup_close(&s.lookup);
    precis_sampler_close(&s.s);
    precis_runner_close(&s.r);
    precis_tokenizer_close(&s.t);
    precis_model_close(&s.m);
    return rc;
}

const cli_command cli_run = {
    "run", "MODEL", "text from a model: a prompt (-p), or a chat on the terminal",
    "Text streams to stdout. The same seed gives the same text on every machine and for any number of threads.", 1, 1, options, run,
    "  precis run model.gguf -p 'Once upon a time' -n 64 --temp 0\n"
    "  precis run model.gguf --system 'Be brief.'        (a chat)\n"
    "  precis run model.gguf -c -p Hi --chat-template chatml.jinja\n"
    "  precis run net.onnx --input x=x.npy --output-dir out\n",
    NULL,
};
