/* session.c - the one loop over tokens: what is read next, what is chosen, when it ends, what may be shown. */
#include "base/options.h"
#include "kernel/scores.h"
#include "precis/session.h"
#include "run/runner.h"

#include <math.h>

enum { TOP = 64, STOPS = 64, TEXT = 64 << 20 /* bytes of an answer at most */ };

struct precis_session {
    precis_ctx *ctx;
    precis_runner *r;
    precis_tokenizer *t;
    precis_session_options opt;
    pcs_arena arena; /* stop texts and tokens */
    precis_sampler *sampler;
    precis_lookup *lookup;
    int32_t *ids;      /* [context + 1]: the last one chosen may find no room */
    uint32_t n, done;  /* tokens of the text; those that the runner has read */
    uint32_t reused;
    uint32_t begun, ended; /* of `ids`: the answer, without a token that ended it */
    uint32_t taking;   /* rows of it in the call that is being made */
    precis_finish finish;
    pcs_buf text;      /* of the answer */
    size_t shown;
    precis_logprob top[TOP];
};

const char *precis_finish_name(precis_finish f)
{
    static const char *const names[] = { "none", "end", "stop", "length", "context", "caller" };
    return (unsigned)f < sizeof names / sizeof *names ? names[f] : "none";
}

/* ---- opening ---------------------------------------------------------------------------------------- */

static precis_status check(precis_ctx *ctx, const precis_runner *r, const precis_session_options *o)
{
    if (r->lm.encoder) return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "the model is an encoder and continues no text");
    if (o->sequence >= r->sequences)
        return pcs_fail(ctx, PRECIS_EINVAL, "sequence %u of %u", o->sequence, r->sequences);
    if (o->top > TOP)
        return pcs_fail(ctx, PRECIS_EINVAL, "the %u likeliest tokens are wanted, and %d can be had", o->top, TOP);
    if (o->n_stops > STOPS) return pcs_fail(ctx, PRECIS_EINVAL, "%zu stop texts are more than %d", o->n_stops, STOPS);
    for (size_t i = 0; i < o->n_stops; i++)
        if (!o->stops[i] || !*o->stops[i]) return pcs_fail(ctx, PRECIS_EINVAL, "stop text %zu is empty", i);
    return PRECIS_OK;
}

/* The caller's lists in the session's own memory. */
static precis_status take_lists(precis_session *s)
{
    precis_session_options *o = &s->opt;
    const char **stops = pcs_arena_alloc(&s->arena, o->n_stops + 1, sizeof *stops);
    int32_t *tokens = pcs_arena_alloc(&s->arena, o->n_stop_tokens + 1, sizeof *tokens);
    if (!stops || !tokens) return PRECIS_ENOMEM;
    for (size_t i = 0; i < o->n_stops; i++)
        if (!(stops[i] = pcs_arena_copy(&s->arena, o->stops[i], strlen(o->stops[i])))) return PRECIS_ENOMEM;
    if (o->n_stop_tokens) memcpy(tokens, o->stop_tokens, o->n_stop_tokens * sizeof *tokens);
    o->stops = stops;
    o->stop_tokens = tokens;
    return PRECIS_OK;
}

precis_status precis_session_open(precis_ctx *ctx, precis_session **out, precis_runner *r, precis_tokenizer *t,
                                  const precis_session_options *opts)
{
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    precis_status st = check(ctx, r, &o);
    precis_session *s = st ? NULL : pcs_alloc(ctx, 1, sizeof *s);
    if (!s) return st ? st : PRECIS_ENOMEM;
    s->ctx = ctx;
    s->r = r;
    s->t = t;
    s->opt = o;
    pcs_arena_init(&s->arena, ctx);
    pcs_buf_init(&s->text, ctx, TEXT);
    st = take_lists(s);
    if (!st && !(s->ids = pcs_alloc(ctx, (size_t)r->context + 1, sizeof *s->ids))) st = PRECIS_ENOMEM;
    if (!st && !o.choose) st = precis_sampler_open(ctx, &s->sampler, r->lm.vocabulary, o.sampler);
    if (!st && o.lookup) st = precis_lookup_open(ctx, &s->lookup, r, o.sequence);
    s->opt.sampler = NULL;
    if (st) precis_session_close(&s);
    *out = s;
    return st;
}

void precis_session_close(precis_session **session)
{
    if (!session || !*session) return;
    precis_session *s = *session;
    precis_ctx *ctx = s->ctx;
    if (s->ids) precis_runner_drop(s->r, s->opt.sequence, 0);
    precis_lookup_close(&s->lookup);
    precis_sampler_close(&s->sampler);
    pcs_buf_free(&s->text);
    pcs_arena_free(&s->arena);
    pcs_free(ctx, s->ids);
    pcs_free(ctx, s);
    *session = NULL;
}

/* ---- what is read ----------------------------------------------------------------------------------- */

static void begin_answer(precis_session *s)
{
    s->begun = s->ended = s->n;
    s->finish = PRECIS_FINISH_NONE;
    s->text.len = s->shown = 0;
    if (s->text.data) *s->text.data = 0;
}

static precis_status room_for(const precis_session *s, uint32_t used, size_t n)
{
    if (!n) return pcs_fail(s->ctx, PRECIS_EINVAL, "the prompt has no tokens");
    if (used <= s->r->context && n <= s->r->context - used) return PRECIS_OK;
    return pcs_fail(s->ctx, PRECIS_EINVAL,
                    "the prompt has %zu tokens and %u are in use, the context holds %u%s", n, used, s->r->context,
                    pcs_context_advice(s->r));
}

static void take(precis_session *s, const int32_t *ids, size_t n)
{
    memcpy(s->ids + s->n, ids, n * sizeof *ids);
    s->n += (uint32_t)n;
    begin_answer(s);
}

precis_status precis_session_append(precis_session *s, const int32_t *ids, size_t n)
{
    const precis_status st = room_for(s, s->n, n);
    if (st) return st;
    for (size_t i = 0; i < n && s->sampler; i++) precis_sampler_accept(s->sampler, ids[i]);
    take(s, ids, n);
    return PRECIS_OK;
}

precis_status precis_session_begin(precis_session *s, const int32_t *ids, size_t n)
{
    precis_status st = room_for(s, 0, n);
    if (st) return st;
    const uint32_t there = precis_runner_length(s->r, s->opt.sequence), known = s->done < there ? s->done : there;
    uint32_t keep = 0; /* the last token is read again: its logits are wanted */
    while (keep < known && keep + 1 < n && s->ids[keep] == ids[keep]) keep++;
    if ((st = precis_runner_drop(s->r, s->opt.sequence, keep))) return st;
    s->reused = s->n = s->done = keep;
    if (s->sampler) precis_sampler_forget(s->sampler);
    for (size_t i = 0; i < n && s->sampler; i++) precis_sampler_accept(s->sampler, ids[i]);
    take(s, ids + keep, n - keep);
    return PRECIS_OK;
}

precis_status precis_session_copy(precis_session *s, const precis_session *from)
{
    if (s->r != from->r) return pcs_fail(s->ctx, PRECIS_EINVAL, "sessions of two runners share no text");
    const precis_status st = precis_runner_copy(s->r, from->opt.sequence, s->opt.sequence, from->done);
    if (st) return st;
    memcpy(s->ids, from->ids, from->n * sizeof *s->ids);
    s->n = from->n;
    s->reused = s->done = from->done;
    if (s->sampler) precis_sampler_forget(s->sampler);
    for (uint32_t i = 0; i < s->n && s->sampler; i++) precis_sampler_accept(s->sampler, s->ids[i]);
    for (uint32_t i = 0; i < s->done && s->lookup; i++) precis_lookup_read(s->lookup, s->ids[i], i);
    begin_answer(s);
    return PRECIS_OK;
}

void precis_session_set_predict(precis_session *s, uint64_t predict) { s->opt.predict = predict; }

/* ---- what is shown ---------------------------------------------------------------------------------- */

/* The first stop text that ends behind `from`: the answer ends where it begins; SIZE_MAX: there is none. */
static size_t find_stop(const precis_session *s, size_t from)
{
    size_t at = SIZE_MAX;
    for (size_t i = 0; i < s->opt.n_stops; i++) {
        const size_t len = strlen(s->opt.stops[i]);
        for (size_t p = from >= len ? from - len + 1 : 0; p + len <= s->text.len && p < at; p++)
            if (!memcmp(s->text.data + p, s->opt.stops[i], len)) at = p;
    }
    return at;
}

/* Bytes at the end of the text that may be the beginning of a stop text. */
static size_t held_for_stops(const precis_session *s)
{
    size_t most = 0;
    for (size_t i = 0; i < s->opt.n_stops; i++) {
        const size_t len = strlen(s->opt.stops[i]), n = s->text.len - s->shown;
        size_t k = len - 1 < n ? len - 1 : n;
        while (k > most && memcmp(s->text.data + s->text.len - k, s->opt.stops[i], k)) k--;
        if (k > most) most = k;
    }
    return most;
}

/* The text that a token brings may be shown, as far as nothing that follows can take it back. */
static void show(precis_session *s, precis_token *out)
{
    size_t end = s->text.len;
    if (!s->finish) {
        end -= held_for_stops(s);
        end = s->shown + (end > s->shown ? precis_text_whole(s->text.data + s->shown, end - s->shown) : 0);
    }
    out->text = s->text.data ? s->text.data + s->shown : "";
    out->len = end - s->shown;
    s->shown = end;
}

static precis_status add_text(precis_session *s, int32_t id)
{
    size_t len;
    const size_t before = s->text.len;
    if (!s->t) return PRECIS_OK;
    const char *piece = precis_tokenizer_piece(s->t, id, s->opt.special, &len);
    const precis_status st = pcs_buf_add(&s->text, piece, len);
    const size_t at = st ? SIZE_MAX : find_stop(s, before);
    if (at < SIZE_MAX) {
        s->finish = PRECIS_FINISH_STOP;
        s->text.len = at;
        s->text.data[at] = 0;
    }
    return st;
}

/* ---- what is chosen --------------------------------------------------------------------------------- */

/* Logarithms of softmax(logits): of the chosen token, and of the likeliest. */
static void weigh(precis_session *s, const float *x, int32_t id, precis_token *out)
{
    const uint32_t n = s->r->lm.vocabulary, k = s->opt.top < n ? s->opt.top : n;
    size_t best;
    const double sum = pcs_log_sum(&s->r->program->kernels, x, n, &best);
    out->logprob = (double)x[id] - sum;
    out->top = s->top;
    for (uint32_t i = 0; i < n && k; i++) {
        const double p = (double)x[i] - sum;
        uint32_t at = out->n_top;
        if (at == k && !(p > s->top[k - 1].logprob)) continue;
        if (at < k) out->n_top++;
        else at--;
        for (; at && p > s->top[at - 1].logprob; at--) s->top[at] = s->top[at - 1];
        s->top[at] = (precis_logprob){ (int32_t)i, p };
    }
}

static bool stops_at(const precis_session *s, int32_t id)
{
    for (size_t i = 0; i < s->opt.n_stop_tokens; i++)
        if (s->opt.stop_tokens[i] == id) return true;
    return false;
}

/* The token after all that was read, and what becomes of the answer with it. */
static precis_status choose(precis_session *s, const float *logits, precis_token *out)
{
    precis_status st = PRECIS_OK;
    *out = (precis_token){ .id = -1, .text = "", .logprob = NAN };
    if (s->n - s->begun >= s->opt.predict) {
        s->finish = PRECIS_FINISH_LENGTH;
    } else {
        const int32_t id = s->opt.choose ? s->opt.choose(s->opt.user, logits, s->r->lm.vocabulary)
                                         : precis_sampler_next(s->sampler, logits);
        if (id < 0 || (uint32_t)id >= s->r->lm.vocabulary)
            return pcs_fail(s->ctx, PRECIS_EINVAL, "token %d was chosen, outside the vocabulary of %u", id,
                            s->r->lm.vocabulary);
        out->id = s->ids[s->n++] = id;
        if (s->opt.logprobs || s->opt.top) weigh(s, logits, id, out);
        if (stops_at(s, id)) s->finish = PRECIS_FINISH_STOP;
        else if (s->t && !s->opt.ignore_end && precis_tokenizer_ends(s->t, id)) s->finish = PRECIS_FINISH_END;
        else {
            s->ended = s->n;
            st = add_text(s, id);
            if (!s->finish && s->n > s->r->context) s->finish = PRECIS_FINISH_CONTEXT;
            if (!s->finish && s->n - s->begun >= s->opt.predict) s->finish = PRECIS_FINISH_LENGTH;
        }
    }
    show(s, out);
    out->finish = s->finish;
    return st;
}

static precis_status answer(precis_session *s, size_t i, const float *logits, precis_token_fn *fn, void *user)
{
    precis_token token;
    const precis_status st = choose(s, logits, &token);
    const bool end = !st && fn && fn(user, i, &token);
    if (end && !s->finish) s->finish = PRECIS_FINISH_CALLER;
    return st;
}

/* ---- the loop --------------------------------------------------------------------------------------- */

/* How much of its text each session reads in this call: those that have one token left come first, and texts share what
 * is left of the batch. The order goes round, so that none waits for ever. */
static uint32_t share_out(precis_session *const *s, size_t n, uint32_t *wanted)
{
    const precis_runner *r = s[0]->r;
    uint32_t rows = 0;
    *wanted = 0;
    for (size_t i = 0; i < n; i++) s[i]->taking = 0;
    for (int texts = 0; texts < 2; texts++)
        for (size_t k = 0; k < n; k++) {
            precis_session *one = s[(k + r->calls) % n];
            const uint32_t left = one->n - one->done, room = r->batch - rows;
            if (one->finish || !left || (left > 1) != texts || !room) continue;
            uint32_t take = left < room ? left : room;
            if (take == left && *wanted == r->outputs) take--; /* its logits would have no place */
            else if (take == left) ++*wanted;
            one->taking = take;
            rows += take;
        }
    return rows;
}

/* One token of one session may have been guessed. */
static bool may_guess(const precis_session *s) { return s->lookup && s->taking == 1 && s->done > s->begun - 1; }

static precis_status decode(precis_session *const *s, size_t n, precis_row *rows, uint32_t count, const float **logits)
{
    precis_session *one = NULL;
    uint32_t at = 0, reading = 0;
    for (size_t i = 0; i < n; i++) {
        if (!s[i]->taking) continue;
        one = s[i];
        reading++;
        for (uint32_t k = 0; k < one->taking; k++, at++) {
            const uint32_t position = one->done + k;
            rows[at] = (precis_row){ one->ids[position], position, one->opt.sequence, position + 1 == one->n };
        }
    }
    if (reading == 1 && may_guess(one)) return precis_lookup_decode(one->lookup, rows->token, rows->position, logits);
    const precis_status st = precis_runner_decode(s[0]->r, rows, count, logits);
    for (size_t i = 0; i < n && !st; i++)
        for (uint32_t k = 0; k < s[i]->taking && s[i]->lookup; k++)
            precis_lookup_read(s[i]->lookup, s[i]->ids[s[i]->done + k], s[i]->done + k);
    return st;
}

static precis_status check_step(precis_session *const *s, size_t n)
{
    if (!n) return PRECIS_OK;
    for (size_t i = 0; i < n; i++) {
        if (s[i]->r != s[0]->r)
            return pcs_fail(s[0]->ctx, PRECIS_EINVAL, "session %zu has another runner than the first", i);
        if (!s[i]->finish && s[i]->done == s[i]->n)
            return pcs_fail(s[0]->ctx, PRECIS_EINVAL, "session %zu has nothing to read", i);
    }
    return PRECIS_OK;
}

precis_status precis_session_step(precis_session *const *s, size_t n, precis_token_fn *fn, void *user)
{
    precis_status st = check_step(s, n);
    uint32_t wanted = 0;
    const uint32_t count = st || !n ? 0 : share_out(s, n, &wanted);
    if (!count) return st;
    const float *logits = NULL;
    precis_runner *r = s[0]->r;
    if ((st = decode(s, n, r->rows, count, &logits))) return st;
    for (size_t i = 0; i < n; i++) {
        precis_session *one = s[i];
        const bool read = one->taking && one->done + one->taking == one->n;
        one->done += one->taking;
        one->taking = 0;
        if (!read) continue;
        const precis_status chosen = answer(one, i, logits, fn, user);
        if (!st) st = chosen;
        logits += r->lm.vocabulary;
    }
    return st;
}

precis_status precis_session_run(precis_session *const *s, size_t n, precis_token_fn *fn, void *user)
{
    precis_status st = PRECIS_OK;
    for (bool left = true; left && !st;) {
        uint64_t done = 0, all = 0;
        st = precis_session_step(s, n, fn, user);
        left = false;
        for (size_t i = 0; i < n; i++) {
            const bool reads = !s[i]->finish && s[i]->n - s[i]->done > 1;
            left |= !s[i]->finish;
            done += reads ? s[i]->done : 0;
            all += reads ? s[i]->n : 0;
        }
        if (!st && all) st = pcs_progress(s[0]->ctx, "prompt", done, all);
    }
    return st;
}

/* The text ends after n tokens again, after a turn that failed. */
static void shorten(precis_session *s, uint32_t n)
{
    s->n = n;
    if (s->done > n) s->done = n;
    if (precis_runner_length(s->r, s->opt.sequence) > s->done) precis_runner_drop(s->r, s->opt.sequence, s->done);
    begin_answer(s);
}

/* What the chat has to say next is the session's text, after it stand n tokens of an answer that goes on. */
static precis_status read_turn(precis_session *s, precis_chat *chat, const int32_t *said, size_t n_said, bool *follows)
{
    precis_chat_text next = { .follows = 0 };
    int32_t *ids = NULL;
    size_t n = 0;
    precis_status st = s->t ? precis_chat_next(chat, &next)
                            : pcs_fail(s->ctx, PRECIS_EINVAL, "a chat needs a tokenizer");
    if (!st) st = precis_tokenizer_encode(s->t, next.text, next.len, next.flags, &ids, &n);
    if (!st && n_said) {
        int32_t *whole = pcs_alloc(s->ctx, n + n_said, sizeof *whole);
        if (whole) {
            memcpy(whole, ids, n * sizeof *ids);
            memcpy(whole + n, said, n_said * sizeof *said);
        }
        st = whole ? precis_session_begin(s, whole, n + n_said) : PRECIS_ENOMEM;
        pcs_free(s->ctx, whole);
    } else if (!st) {
        st = next.follows ? precis_session_append(s, ids, n) : precis_session_begin(s, ids, n);
    }
    if (s->t) precis_ids_free(s->t, ids);
    *follows = next.follows;
    return st;
}

/* ---- a chat that is longer than the context ---------------------------------------------------------- */

/* Tokens of all that the model would have read before its next answer. */
static precis_status measure_turn(precis_session *s, precis_chat *chat, size_t *tokens)
{
    precis_chat_text next;
    int32_t *ids = NULL;
    size_t n = 0;
    precis_status st = precis_chat_next(chat, &next);
    if (!st) st = precis_tokenizer_encode(s->t, next.text, next.len, next.flags, &ids, &n);
    precis_ids_free(s->t, ids);
    *tokens = n + (next.follows ? s->n : 0);
    return st;
}

/* The oldest turns are forgotten until a quarter of the context is free behind `more` tokens of an answer. */
static precis_status forget_turns(precis_session *s, precis_chat *chat, size_t more, size_t *forgotten)
{
    const size_t most = s->r->context - s->r->context / 4;
    for (;;) {
        size_t tokens, gone;
        const precis_status st = measure_turn(s, chat, &tokens);
        if (st || tokens + more <= most || !(gone = precis_chat_forget_oldest(chat))) return st;
        *forgotten += gone;
    }
}

/* The context is full in the middle of an answer: what may be forgotten is, and the answer goes on after the rest.
 * `text` takes what has been answered. */
static precis_status go_on(precis_session *s, precis_chat *chat, pcs_buf *text, size_t *forgotten)
{
    const size_t n = s->ended - s->begun, before = *forgotten;
    int32_t *said = pcs_alloc(s->ctx, n + 1, sizeof *said);
    if (!said) return PRECIS_ENOMEM;
    memcpy(said, s->ids + s->begun, n * sizeof *said);
    bool follows;
    precis_status st = forget_turns(s, chat, n, forgotten);
    if (!st && *forgotten > before) {
        st = pcs_buf_add(text, s->text.data, s->text.len);
        if (!st) st = read_turn(s, chat, said, n, &follows);
        if (!st) s->begun -= (uint32_t)n; /* they are of the answer */
    }
    pcs_free(s->ctx, said);
    return st;
}

/* One turn; *gone counts messages that are forgotten, NULL: none may be. */
static precis_status take_turn(precis_session *s, precis_chat *chat, size_t *gone, precis_token_fn *fn, void *user)
{
    pcs_buf text;
    size_t before = 0;
    bool follows = false;
    const uint32_t had = s->n;
    if (!s->t) return pcs_fail(s->ctx, PRECIS_EINVAL, "a chat needs a tokenizer");
    pcs_buf_init(&text, s->ctx, TEXT);
    precis_status st = gone ? forget_turns(s, chat, 0, gone) : PRECIS_OK;
    if (!st) st = read_turn(s, chat, NULL, 0, &follows);
    do {
        if (gone) before = *gone;
        if (!st) st = precis_session_run(&s, 1, fn, user);
        if (!st && gone && s->finish == PRECIS_FINISH_CONTEXT) st = go_on(s, chat, &text, gone);
    } while (!st && gone && *gone > before);
    if (!st && text.len) { /* the answer is one text again */
        st = pcs_buf_add(&text, s->text.data, s->text.len);
        const pcs_buf last = s->text;
        s->text = text;
        text = last;
        s->shown = s->text.len;
    }
    if (!st) st = precis_chat_answered(chat, s->text.data ? s->text.data : "");
    else if (follows && !(gone && *gone) && s->n > had) shorten(s, had); /* the chat will give the same text again */
    pcs_buf_free(&text);
    return st;
}

precis_status precis_session_answer(precis_session *s, precis_chat *chat, precis_token_fn *fn, void *user)
{
    return take_turn(s, chat, NULL, fn, user);
}

precis_status precis_session_converse(precis_session *s, precis_chat *chat, size_t *forgotten, precis_token_fn *fn,
                                      void *user)
{
    size_t gone = 0;
    const precis_status st = take_turn(s, chat, &gone, fn, user);
    if (forgotten) *forgotten = gone;
    return st;
}

precis_status precis_session_set_sampler(precis_session *s, const precis_sampler_options *opts)
{
    precis_sampler *sampler;
    const precis_status st = precis_sampler_open(s->ctx, &sampler, s->r->lm.vocabulary, opts);
    if (st) return st;
    precis_sampler_close(&s->sampler);
    s->sampler = sampler;
    for (uint32_t i = 0; i < s->n; i++) precis_sampler_accept(sampler, s->ids[i]);
    return PRECIS_OK;
}

/* ---- what there is ---------------------------------------------------------------------------------- */

void precis_session_get_info(const precis_session *s, precis_session_info *info)
{
    precis_session_info all = { .size = info->size, .finish = s->finish, .tokens = s->n, .reused = s->reused,
                                .answered = s->ended - s->begun, .lookup = { .size = sizeof all.lookup } };
    if (s->lookup) precis_lookup_get_info(s->lookup, &all.lookup);
    pcs_options_give(info, &all, sizeof all);
}

const int32_t *precis_session_all(const precis_session *s) { return s->ids; }

const int32_t *precis_session_ids(const precis_session *s, size_t *n)
{
    *n = s->ended - s->begun;
    return s->ids + s->begun;
}

const char *precis_session_text(const precis_session *s, size_t *len)
{
    *len = s->text.len;
    return s->text.data ? s->text.data : "";
}
