/* precis run - text from a model: one prompt, or a chat on the terminal. */
#include "talk.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
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
    { "--ctx", 0, "N", "context in tokens (default: the model's; for a text that is continued at most 4096)" },
    { "--pack", 0, "WHEN",
      "weights in the kernels' order: background (default), load, cache (a file in ~/.cache/precis/packed, made once) "
      "or off; the same tokens" },
    { "--no-lookup", 0, NULL,
      "do not guess tokens from the text so far (the text is the same; guessing stops by itself where it does not "
      "pay)" },
    { "--cache-k", 0, "TYPE", "keys of the KV cache: f32 f16 int8 int4 (default f16)" },
    { "--cache-v", 0, "TYPE", "values of the KV cache" },
    { "--embed", 0, NULL, "encoders: print the embedding of the prompt" },
    { "--lora", 0, "PATH[=SCALE]", "a low-rank adapter beside the weights (more than once for different weights)" },
    { "--arithmetic", 0, "NAME",
      "exact (default; int8 activations), bf16 (both as bfloat16), mixed (bf16 for 32 and more rows), int8 (one scale "
      "a token and a row of weights; default of W8A8 models), or auto: int8 for those, mixed on AMX" },
    { "--weights-only", 0, NULL, "reference arithmetic" },
    { "--ignore-end", 0, NULL, "go on after an end token" },
    { "--input", 0, "NAME=FILE", "a net of arrays (ONNX): a .npy file, or a whole number, for an input of it; once "
                                 "for each" },
    { "--output-dir", 0, "OUT-FOLDER", "where its outputs go, as NAME.npy" },
    { "--mem-limit", 0, "SIZE",
      "a net of arrays: private memory that the process may take (600M, 1.5GiB); what would pass it is refused" },
    { 0 },
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

unsigned cli_talk_columns(void)
{
    struct winsize size = { 0 };
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20) return 0;
    return size.ws_col;
}

/* What may be shown of a token. */
static int on_token(void *user, size_t i, const precis_token *token)
{
    cli_talk *u = user;
    (void)i;
    cli_progress_clear();
    u->last = now();
    if (!u->tokens) u->first = u->last;
    if (token->id >= 0) u->tokens++;
    if (u->stream && token->len) {
        const unsigned columns = u->wrap ? cli_talk_columns() : 0;
        if (columns) u->wrap->columns = columns; /* the window may have another size by now */
        if (u->wrap) cli_wrap_text(u->wrap, token->text, token->len);
        else cli_put_text(token->text, token->len);
        if (fflush(stdout)) return 1;
    }
    return cli_cancel != 0;
}

/* The answer ended where the context does, with nothing that could have been forgotten. That ends a single answer, and
 * no conversation, whose next turn forgets this one. */
static int full(cli_talk *u)
{
    const bool all = u->info.known_context && u->info.context >= u->info.known_context;
    const char *why = all ? ", and the model was made for no more" : "; a larger --ctx makes room";
    if (!u->goes_on) {
        cli_error(u->c, "the context of %u tokens is full%s", u->info.context, why);
        return EXIT_RESOURCES;
    }
    char note[160];
    snprintf(note, sizeof note, "note: the answer ends here, since it fills the context of %u tokens%s",
             u->info.context, why);
    cli_fold_error(note, 6);
    u->filled = true;
    return EXIT_DONE;
}

/* After an answer, and the status that it ended with. */
static int finish(cli_talk *u, precis_status st)
{
    cli *c = u->c;
    precis_session_info info = { .size = sizeof info };
    cli_progress_clear();
    if (u->wrap) cli_wrap_flush(u->wrap);
    if (cli_cancel) {
        if (u->stream && !st) putchar('\n');
        return EXIT_INTERRUPTED;
    }
    if (u->stream && (!st || u->tokens)) { /* no message stands behind half a line */
        putchar('\n');
        fflush(stdout);
    }
    if (st) return cli_fail(c, st);
    precis_session_get_info(u->s, &info);
    int rc = info.finish == PRECIS_FINISH_CONTEXT ? full(u) : EXIT_DONE;
    if (rc == EXIT_DONE) rc = cli_done(c);
    if (rc != EXIT_DONE) return rc;
    st = precis_runner_check(u->r); /* weights are looked at beside the first tokens */
    return st ? cli_fail(c, st) : EXIT_DONE;
}

static int go_on(cli_talk *u, const char *text, size_t len)
{
    int32_t *ids = NULL;
    size_t n;
    precis_status st = precis_tokenizer_encode(u->t, text, len, PRECIS_TEXT_ADD | PRECIS_TEXT_PARSE, &ids, &n);
    if (!st) st = precis_session_begin(u->s, ids, n);
    if (!st) st = precis_session_run(&u->s, 1, on_token, u);
    precis_ids_free(u->t, ids);
    return finish(u, st);
}

/* The chat; a template that is made up is announced. */
static int open_chat(cli_talk *u)
{
    cli *c = u->c;
    size_t len;
    char *read = NULL;
    const char *source = precis_model_chat_template(u->m);
    if (cli_has(c, "--chat-template")) {
        const int rc = cli_read_text(c, cli_get(c, "--chat-template"), PRECIS_INPUT_TABLE, &read, &len);
        if (rc >= 0) return rc;
        source = read;
    } else if (!source) {
        cli_warn(c, "the model has no chat template: messages become lines \"role: content\"; --chat-template "
                    "FILE gives one");
    }
    precis_status st = precis_chat_open(c->ctx, &u->chat, u->t, source);
    if (!st && cli_has(c, "--system")) st = precis_chat_say(u->chat, "system", cli_get(c, "--system"));
    precis_text_free(c->ctx, read);
    return st ? cli_fail(c, st) : EXIT_DONE;
}

int cli_talk_turn(cli_talk *u, const char *text)
{
    size_t forgotten = 0;
    u->tokens = 0;
    precis_status st = precis_chat_say(u->chat, "user", text);
    if (!st) st = precis_session_converse(u->s, u->chat, &forgotten, on_token, u);
    const int rc = finish(u, st);
    if (forgotten && !u->c->quiet) {
        char note[128];
        snprintf(note, sizeof note, "note: the context of %u tokens is full: the oldest %zu message%s dropped",
                 u->info.context, forgotten, forgotten == 1 ? " was" : "s were");
        cli_fold_error(note, 6);
    }
    return rc;
}

static precis_status open_session(cli_talk *u)
{
    cli *c = u->c;
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.sampler = &u->sampler;
    o.predict = (uint64_t)u->predict;
    o.ignore_end = cli_has(c, "--ignore-end");
    o.lookup = !cli_has(c, "--no-lookup");
    return precis_session_open(c->ctx, &u->s, u->r, u->t, &o);
}

static int open_speaker(cli_talk *u, precis_runner_options *ro)
{
    cli *c = u->c;
    char path[4096];
    snprintf(path, sizeof path, "%s", c->args[0]);
    if (cli_packs_into_cache(c)) {
        if (cli_has(c, "--lora")) return cli_usage(c, "--lora changes weights; --pack cache is of a file as it is");
        const precis_status packed = cli_packed_copy(c, c->args[0], path, sizeof path);
        if (packed) return cli_fail(c, packed);
    }
    precis_status st = cli_has(c, "--lora") ? precis_model_open(c->ctx, &u->m, path) /* an adapter is added to rows */
                                            : precis_model_open_to_run(c->ctx, &u->m, path);
    if (!st) {
        const int lora = cli_add_adapters(c, u->m, false);
        if (lora >= 0) return lora;
    }
    if (!st) st = precis_tokenizer_open(c->ctx, &u->t, u->m);
    if (!st) st = precis_runner_open(c->ctx, &u->r, u->m, ro);
    if (!st) precis_runner_get_info(u->r, &u->info);
    if (!st) cli_context_beyond(c, u->info.context, u->info.known_context);
    return st ? cli_fail(c, st) : EXIT_DONE;
}

static int embed(cli_talk *u, const char *text, size_t len)
{
    float *x = cli_grow(NULL, u->info.width * sizeof *x);
    precis_status st = x ? precis_embed_text(u->r, u->t, text, len, x) : PRECIS_ENOMEM;
    if (!st) st = precis_runner_check(u->r);
    int rc = st ? cli_fail(u->c, st) : EXIT_DONE;
    json_t *list = json_array();
    for (uint32_t i = 0; i < u->info.width && !st; i++) {
        json_array_append_new(list, json_real((double)x[i]));
        if (!u->c->json) printf("%s%.8g", i ? " " : "", (double)x[i]);
    }
    free(x);
    if (!st && u->c->json) return cli_print_json(u->c, json_pack("{s:o}", "embedding", list));
    json_decref(list);
    if (!st) putchar('\n');
    return st ? rc : cli_done(u->c);
}

static int print_said(cli_talk *u)
{
    size_t n, len;
    const int32_t *made = precis_session_ids(u->s, &n);
    const char *said = precis_session_text(u->s, &len);
    json_t *ids = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(ids, json_integer(made[i]));
    json_t *text = json_stringn(said, precis_text_whole(said, len));
    char *ascii = text ? NULL : cli_copy(said);
    for (size_t i = 0; ascii && i < len; i++) /* bytes that are no UTF-8: replace them */
        if ((unsigned char)ascii[i] >= 128) ascii[i] = '?';
    if (ascii) text = json_stringn(ascii, strlen(ascii));
    free(ascii);
    precis_session_info info = { .size = sizeof info };
    precis_session_get_info(u->s, &info);
    return cli_print_json(u->c, json_pack("{s:o, s:o, s:{s:I, s:I, s:I}}", "text", text, "ids", ids, "lookup", "calls",
                                          (json_int_t)info.lookup.calls, "drafted", (json_int_t)info.lookup.drafted,
                                          "accepted", (json_int_t)info.lookup.accepted));
}

/* Everything is open: what was asked for. */
static int work(cli_talk *u, bool talk)
{
    cli *c = u->c;
    size_t len = 0;
    char *read = NULL;
    if (u->info.encoder != cli_has(c, "--embed"))
        return cli_usage(c, u->info.encoder ? "the model is an encoder; --embed prints the embedding of a text"
                                            : "the model is no encoder; embeddings come from BERT and its like");
    if (cli_has(c, "--file")) {
        const int rc = cli_read_text(c, cli_get(c, "--file"), PRECIS_INPUT_TEXT, &read, &len);
        if (rc >= 0) return rc;
    }
    const char *prompt = read ? read : cli_get(c, "--prompt");
    if (!read && prompt) len = strlen(prompt);
    int rc = EXIT_DONE;
    if (!cli_has(c, "--embed")) {
        const precis_status st = open_session(u);
        if (st) rc = cli_fail(c, st);
    }
    if (rc == EXIT_DONE && (talk || cli_has(c, "--chat"))) rc = open_chat(u);
    if (rc != EXIT_DONE) {}
    else if (cli_has(c, "--embed")) rc = embed(u, prompt, len);
    else if (talk) rc = cli_chat(u);
    else if (cli_has(c, "--chat")) rc = cli_talk_turn(u, prompt);
    else rc = go_on(u, prompt, len);
    if (rc == EXIT_DONE && !cli_has(c, "--embed")) rc = c->json ? print_said(u) : cli_done(c);
    precis_text_free(c->ctx, read);
    return rc;
}

static bool read_sampler(cli *c, precis_sampler_options *so)
{
    int64_t top_k;
    double temp, top_p, min_p, penalty;
    if (!cli_int(c, "--top-k", 40, 0, 1 << 24, &top_k) || !cli_number(c, "--temp", 0.8, 0, 100, &temp) ||
        !cli_number(c, "--top-p", 0.95, 0, 1, &top_p) || !cli_number(c, "--min-p", 0.05, 0, 1, &min_p) ||
        !cli_number(c, "--repeat-penalty", 1, 0, 100, &penalty))
        return false;
    so->temperature = (float)temp;
    so->top_k = (int32_t)top_k;
    so->top_p = (float)top_p;
    so->min_p = (float)min_p;
    so->repetition = (float)penalty;
    so->seed = c->seed;
    return true;
}

static int run(cli *c)
{
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_run(c);
    if (cli_has(c, "--input") || cli_has(c, "--output-dir") || cli_has(c, "--mem-limit")) {
        precis_net *net; /* a checkpoint is refused with the lines that make a net of it */
        const precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
        if (st == PRECIS_EUNSUPPORTED) return cli_fail(c, st);
        precis_net_close(&net);
        return cli_usage(c,
                         "--input, --output-dir and --mem-limit are for nets of arrays (ONNX, .pt2), which %s is not",
                         c->args[0]);
    }
    cli_talk u = { .c = c, .info = { .size = sizeof u.info }, .sampler = PRECIS_SAMPLER_OPTIONS_INIT };
    u.stream = !c->json;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    int64_t ctx;
    const bool talk = !cli_has(c, "--prompt") && !cli_has(c, "--file");
    if (!cli_int(c, "--ctx", 0, 1, 1 << 26, &ctx) || !read_sampler(c, &u.sampler) ||
        !cli_int(c, "--predict", talk ? 4096 : 256, 0, 1 << 30, &u.predict))
        return EXIT_USAGE;
    if (talk && c->json) return cli_usage(c, "--json needs a prompt (-p TEXT)");
    if (!talk && !cli_has(c, "--chat") && cli_has(c, "--chat-template"))
        return cli_usage(c, "--chat-template is for a chat (-c, or no prompt)");
    ro.context = !ctx && (talk || cli_has(c, "--chat")) ? PRECIS_CONTEXT_OWN : (uint32_t)ctx;
    if (!cli_arithmetic(c, PRECIS_OWN, &ro.arithmetic)) return EXIT_USAGE;
    ro.k_type = cli_get(c, "--cache-k");
    ro.v_type = cli_get(c, "--cache-v");
    if (!cli_pack(c, PRECIS_PACK_BACKGROUND, &ro.pack)) return EXIT_USAGE;
    ro.outputs = 8; /* guessed tokens have logits, too */
    if (cli_has(c, "--embed")) {
        if (talk) return cli_usage(c, "--embed needs a text (-p TEXT or -f FILE)");
        ro.outputs = ro.batch = 512;
    }
    int rc = open_speaker(&u, &ro);
    if (rc == EXIT_DONE) rc = work(&u, talk);
    precis_chat_close(&u.chat);
    precis_session_close(&u.s);
    precis_runner_close(&u.r);
    precis_tokenizer_close(&u.t);
    precis_model_close(&u.m);
    return rc;
}

const cli_command cli_run = {
    "run", "MODEL", "text from a model: a prompt (-p), or a chat on the terminal",
    "Text streams to stdout. The same seed gives the same text on every machine and for any number of threads.",
    1, 1, options, run,
    "  precis run model.gguf -p 'Once upon a time' -n 64 --temp 0\n"
    "  precis run model.gguf --system 'Be brief.'        (a chat)\n"
    "  precis run model.gguf -c -p Hi --chat-template chatml.jinja\n"
    "  precis run net.onnx --input x=x.npy --output-dir out\n",
    NULL,
};
