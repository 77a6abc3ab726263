/* precis/session.h - a text that a runner reads and goes on with: its tokens, its sampler, when it ends, and what of it
 * may be shown. Any number of sessions share a runner, each with a sequence of its own; tokens are the same alone or
 * together.
 *
 * Threads: a session belongs to its runner's context's thread, callbacks run on it. */
#ifndef PRECIS_SESSION_H
#define PRECIS_SESSION_H

#include "precis/chat.h"
#include "precis/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_session precis_session;

/* Why an answer ended. */
typedef enum precis_finish {
    PRECIS_FINISH_NONE,    /* it has not                                                           */
    PRECIS_FINISH_END,     /* a token that ends a turn or a text                                   */
    PRECIS_FINISH_STOP,    /* a stop text or a stop token                                          */
    PRECIS_FINISH_LENGTH,  /* as many tokens as it may have                                        */
    PRECIS_FINISH_CONTEXT, /* the runner's context is full: the last token cannot be read any more */
    PRECIS_FINISH_CALLER   /* the callback said so                                                 */
} precis_finish;
/* "stop", "length", ...; static storage. */
PRECIS_API const char *precis_finish_name(precis_finish finish);

/* A token in place of the sampler's, given the logits after the last one: [vocabulary]. */
typedef int32_t precis_choose_fn(void *user, const float *logits, uint32_t vocabulary);

typedef struct precis_session_options {
    uint32_t                      size;     /* sizeof of this struct, set by _INIT                          */
    uint32_t                      sequence; /* of the runner: no other session's                            */
    const precis_sampler_options *sampler;  /* NULL: the defaults; copied                                   */
    precis_choose_fn             *choose;   /* in place of a sampler; NULL: none                            */
    void                         *user;     /* handed to choose                                             */
    uint64_t                      predict;  /* tokens of an answer at most                                  */
    const char *const            *stops;    /* texts that end an answer and are not part of it; copied      */
    size_t                        n_stops;
    const int32_t                *stop_tokens; /* the same; copied                                          */
    size_t                        n_stop_tokens;
    int                           ignore_end; /* an end token is a token like others                        */
    int                           special;    /* control tokens give their text                             */
    int                           logprobs;   /* natural logarithms of the chosen tokens' probabilities     */
    uint32_t                      top;        /* of the likeliest tokens as well, so many (at most 64)      */
    int                           lookup;     /* guess tokens from the text so far (precis_lookup)          */
} precis_session_options;
#define PRECIS_SESSION_OPTIONS_INIT \
    { sizeof(precis_session_options), 0, NULL, NULL, NULL, UINT64_MAX, NULL, 0, NULL, 0, 0, 0, 0, 0, 0 }

/* Runner and tokenizer must outlive it; tokenizer NULL: tokens have no text, and none ends an answer. PRECIS_EINVAL
 * names the option; PRECIS_ENOMEM. */
PRECIS_API precis_status precis_session_open(precis_ctx *ctx, precis_session **out, precis_runner *r,
                                             precis_tokenizer *t, const precis_session_options *opts);
/* The sequence is dropped. */
PRECIS_API void precis_session_close(precis_session **session);

/* What is to be read next, n ids: after the text so far, or in its place. In its place, what both begin with is not
 * computed again, and the penalties forget what was. A new answer begins after it. PRECIS_EINVAL when it has no
 * tokens, or more than the context has room for: then nothing has changed. */
PRECIS_API precis_status precis_session_append(precis_session *s, const int32_t *ids, size_t n);
PRECIS_API precis_status precis_session_begin(precis_session *s, const int32_t *ids, size_t n);
/* The session's text becomes that of another one of the same runner, whose pages it shares (precis_runner_copy). */
PRECIS_API precis_status precis_session_copy(precis_session *s, const precis_session *from);
/* Tokens at most of the answers that follow. */
PRECIS_API void precis_session_set_predict(precis_session *s, uint64_t predict);

typedef struct precis_logprob { int32_t id; double logprob; } precis_logprob;

/* A token of an answer. */
typedef struct precis_token {
    int32_t               id;     /* -1: there is none (nothing was to be predicted)                        */
    precis_finish         finish; /* NONE: others follow                                                    */
    const char           *text;   /* what may be shown now: whole characters, and nothing that may become a
                                     stop text; at the end, all that was held back                          */
    size_t                len;
    double                logprob; /* of softmax(logits), before penalties and temperature; NaN: not wanted */
    const precis_logprob *top;     /* the likeliest first                                                   */
    uint32_t              n_top;
} precis_token;
/* session: its place in the list. Not 0: the answer ends here. What it is given is valid until it returns. */
typedef int precis_token_fn(void *user, size_t session, const precis_token *token);

/* One call of the runner for all sessions whose answers have not ended: each reads what it has still to read, as far as
 * the runner's batch and outputs go round, and those that have read all choose a token. fn may be NULL. As
 * precis_runner_decode fails: then no session has changed, and the same call may be made again. PRECIS_EINVAL when a
 * token that was chosen does not exist, PRECIS_ENOMEM when there is none for a text. */
PRECIS_API precis_status precis_session_step(precis_session *const *s, size_t n, precis_token_fn *fn, void *user);
/* Until all answers have ended. Progress ("prompt") and cancel are asked while a text is read. */
PRECIS_API precis_status precis_session_run(precis_session *const *s, size_t n, precis_token_fn *fn, void *user);
/* One turn of a chat: what it has to say next is read, answered, and the answer becomes its last message. A callback
 * that ends the answer is no failure; after one, the message is not answered, and nothing of it counts as read. */
PRECIS_API precis_status precis_session_answer(precis_session *s, precis_chat *chat, precis_token_fn *fn, void *user);

/* The same for a chat that may be longer than the context. Before it reads, and whenever the context is full while it
 * answers, the oldest turns are forgotten (precis_chat_forget_oldest) until a quarter of the context is free;
 * *forgotten (may be NULL) counts their messages. The answer ends by PRECIS_FINISH_CONTEXT only where one turn alone
 * fills the context; a message that does not fit by itself is PRECIS_EINVAL. */
PRECIS_API precis_status precis_session_converse(precis_session *s, precis_chat *chat, size_t *forgotten,
                                                 precis_token_fn *fn, void *user);
/* The answers that follow are drawn by these options; penalties and the seed begin anew. PRECIS_EINVAL as for
 * precis_session_open, and the sampler stays as it was; PRECIS_ENOMEM. */
PRECIS_API precis_status precis_session_set_sampler(precis_session *s, const precis_sampler_options *opts);

typedef struct precis_session_info {
    uint32_t      size;     /* sizeof of this struct, set by the caller                                     */
    precis_finish finish;   /* of the last answer                                                           */
    uint64_t      tokens;   /* of the text so far                                                           */
    uint64_t      reused;   /* of those that the last precis_session_begin found computed                   */
    uint64_t      answered; /* tokens of the last answer, without one that ended it                         */
    precis_lookup_info lookup;
} precis_session_info;
PRECIS_API void precis_session_get_info(const precis_session *s, precis_session_info *info);
/* The tokens of the whole text so far (precis_session_info.tokens of them); owned by the session, valid until its next
 * call. */
PRECIS_API const int32_t *precis_session_all(const precis_session *s);
/* Of the last answer; owned by the session, valid until its next call. The text ends with a NUL, which len does not
 * count; its last character may lack bytes (precis_text_whole). */
PRECIS_API const int32_t *precis_session_ids(const precis_session *s, size_t *n);
PRECIS_API const char *precis_session_text(const precis_session *s, size_t *len);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_SESSION_H */
