/* precis/chat.h - messages to the text that a model reads: history, template, and what the model has read already.
 *
 * Threads: a chat belongs to its tokenizer's context's thread. */
#ifndef PRECIS_CHAT_H
#define PRECIS_CHAT_H

#include "precis/text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_chat precis_chat;

/* source: a template in Jinja (precis_chat_render), copied; NULL: messages become lines "role: content". The tokenizer
 * must outlive the chat. PRECIS_ENOMEM. */
PRECIS_API precis_status precis_chat_open(precis_ctx *ctx, precis_chat **out, precis_tokenizer *t, const char *source);
PRECIS_API void precis_chat_close(precis_chat **chat);
/* A message at the end of the history. Special tokens come from the template alone: those that stand in the content are
 * read as text. Both are copied. PRECIS_ENOMEM, PRECIS_EINVAL (no role, or no content). */
PRECIS_API precis_status precis_chat_say(precis_chat *chat, const char *role, const char *content);
/* The last message is taken back, one that the model has not answered. PRECIS_EINVAL when there is none. */
PRECIS_API precis_status precis_chat_unsay(precis_chat *chat);
/* Messages in the history. */
PRECIS_API size_t precis_chat_length(const precis_chat *chat);

/* Message i, as it was said; owned by the chat, valid until the history changes. PRECIS_EINVAL when there is none. */
PRECIS_API precis_status precis_chat_message(const precis_chat *chat, size_t i, const char **role,
                                             const char **content);
/* What the model is told before all else: the content of the first message, "system", which is made when there is none;
 * NULL: there is none any more. PRECIS_ENOMEM. */
PRECIS_API precis_status precis_chat_set_system(precis_chat *chat, const char *content);
/* The oldest turn is forgotten: the first message after those of "system", and what follows it up to the next of
 * "user". The last message, and one that waits for an answer, stay. Gives the number of messages that went. */
PRECIS_API size_t precis_chat_forget_oldest(precis_chat *chat);
/* All messages are forgotten but those of "system" at the beginning. */
PRECIS_API void precis_chat_clear(precis_chat *chat);

/* What a model is to read next. Every turn is rendered whole; what the model has read already (precis_chat_answered) is
 * left out, unless the template writes it otherwise now: then *follows is 0, and the text is all of it. */
typedef struct precis_chat_text {
    const char *text; /* owned by the chat, valid until its next call */
    size_t      len;
    unsigned    flags;   /* of precis_tokenizer_encode */
    int         follows; /* on what was read before */
} precis_chat_text;
/* As precis_chat_render fails. */
PRECIS_API precis_status precis_chat_next(precis_chat *chat, precis_chat_text *next);
/* The model has read the text that precis_chat_next gave, and has answered this: a message "assistant". PRECIS_ENOMEM,
 * PRECIS_EINVAL (nothing was asked). */
PRECIS_API precis_status precis_chat_answered(precis_chat *chat, const char *answer);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_CHAT_H */
