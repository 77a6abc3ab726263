/* chat.c - the messages of a chat, rendered anew at each turn, and how much of that the model has read already. */
#include "base/base.h"
#include "precis/chat.h"

#include <stdio.h>

/* Lines "role: content", for models that say nothing of chats. */
static const char plain_template[] = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if "
                                     "add_generation_prompt %}assistant: {% endif %}";

enum { SPECIAL = 64 }; /* bytes of a token's text at most */

struct precis_chat {
    precis_ctx *ctx;
    precis_tokenizer *t;
    char *source;
    char bos[SPECIAL], eos[SPECIAL];
    precis_message *messages; /* contents are guarded */
    char **said;              /* the same contents, as they were given */
    size_t n, cap;
    char *prompt; /* of the last turn, as it was rendered */
    char *held;   /* what the model has read, with its answer; NULL: nothing */
};

static char *copy(precis_ctx *ctx, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *p = pcs_alloc(ctx, n, 1);
    return p ? memcpy(p, text, n) : NULL;
}

static void special(precis_tokenizer *t, int32_t id, char out[SPECIAL])
{
    size_t len = 0;
    const char *p = id >= 0 ? precis_tokenizer_piece(t, id, 1, &len) : "";
    snprintf(out, SPECIAL, "%.*s", (int)len, p);
}

precis_status precis_chat_open(precis_ctx *ctx, precis_chat **out, precis_tokenizer *t, const char *source)
{
    precis_chat *c = *out = pcs_alloc(ctx, 1, sizeof *c);
    if (!c) return PRECIS_ENOMEM;
    c->ctx = ctx;
    c->t = t;
    special(t, precis_tokenizer_bos(t), c->bos);
    special(t, precis_tokenizer_eos(t), c->eos);
    if ((c->source = copy(ctx, source ? source : plain_template))) return PRECIS_OK;
    precis_chat_close(out);
    return PRECIS_ENOMEM;
}

static void forget(precis_chat *c, size_t i)
{
    pcs_free(c->ctx, (void *)(uintptr_t)c->messages[i].role);
    precis_text_free(c->ctx, (void *)(uintptr_t)c->messages[i].content);
    pcs_free(c->ctx, c->said[i]);
}

/* Messages [first, first + n) are no more. */
static void cut(precis_chat *c, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) forget(c, i);
    const size_t behind = c->n - first - n;
    memmove(c->messages + first, c->messages + first + n, behind * sizeof *c->messages);
    memmove(c->said + first, c->said + first + n, behind * sizeof *c->said);
    c->n -= n;
}

void precis_chat_close(precis_chat **chat)
{
    if (!chat || !*chat) return;
    precis_chat *c = *chat;
    precis_ctx *ctx = c->ctx;
    while (c->n) forget(c, --c->n);
    pcs_free(ctx, c->messages);
    pcs_free(ctx, c->said);
    pcs_free(ctx, c->source);
    precis_text_free(ctx, c->prompt);
    pcs_free(ctx, c->held);
    pcs_free(ctx, c);
    *chat = NULL;
}

size_t precis_chat_length(const precis_chat *chat) { return chat->n; }

static precis_status make_room(precis_chat *c)
{
    if (c->n < c->cap) return PRECIS_OK;
    const size_t cap = 2 * c->cap + 16;
    precis_message *messages = pcs_grow(c->ctx, c->messages, c->n * sizeof *messages, cap, sizeof *messages);
    if (!messages) return PRECIS_ENOMEM;
    c->messages = messages;
    char **said = pcs_grow(c->ctx, c->said, c->n * sizeof *said, cap, sizeof *said);
    if (!said) return PRECIS_ENOMEM;
    c->said = said;
    c->cap = cap;
    return PRECIS_OK;
}

/* A message before the one at `at`. */
static precis_status insert(precis_chat *c, size_t at, const char *role, const char *content)
{
    char *guarded = NULL, *name = NULL, *said = NULL;
    precis_status st = make_room(c);
    if (!st && (!(name = copy(c->ctx, role)) || !(said = copy(c->ctx, content)))) st = PRECIS_ENOMEM;
    if (!st) st = precis_tokenizer_guard(c->t, content, &guarded);
    if (st) {
        pcs_free(c->ctx, name);
        pcs_free(c->ctx, said);
        return st;
    }
    memmove(c->messages + at + 1, c->messages + at, (c->n - at) * sizeof *c->messages);
    memmove(c->said + at + 1, c->said + at, (c->n - at) * sizeof *c->said);
    c->messages[at] = (precis_message){ name, guarded };
    c->said[at] = said;
    c->n++;
    return PRECIS_OK;
}

precis_status precis_chat_say(precis_chat *c, const char *role, const char *content)
{
    if (!role || !content) return pcs_fail(c->ctx, PRECIS_EINVAL, "a message has a role and a content");
    return insert(c, c->n, role, content);
}

precis_status precis_chat_message(const precis_chat *c, size_t i, const char **role, const char **content)
{
    if (i >= c->n) return pcs_fail(c->ctx, PRECIS_EINVAL, "message %zu of %zu", i, c->n);
    *role = c->messages[i].role;
    *content = c->said[i];
    return PRECIS_OK;
}

static bool is_of(const precis_chat *c, size_t i, const char *role) { return !strcmp(c->messages[i].role, role); }

/* Messages of "system" at the beginning. */
static size_t told(const precis_chat *c)
{
    size_t i = 0;
    while (i < c->n && is_of(c, i, "system")) i++;
    return i;
}

precis_status precis_chat_set_system(precis_chat *c, const char *content)
{
    const precis_status st = content ? insert(c, 0, "system", content) : PRECIS_OK;
    const size_t kept = content ? 1 : 0, n = st ? 0 : told(c);
    if (n > kept) cut(c, kept, n - kept);
    return st;
}

size_t precis_chat_forget_oldest(precis_chat *c)
{
    const size_t first = told(c);
    size_t end = first + 1;
    while (end < c->n && !is_of(c, end, "user")) end++;
    if (end >= c->n) return 0; /* the last turn stays */
    cut(c, first, end - first);
    return end - first;
}

void precis_chat_clear(precis_chat *c)
{
    const size_t first = told(c);
    cut(c, first, c->n - first);
}

precis_status precis_chat_unsay(precis_chat *c)
{
    if (!c->n || !strcmp(c->messages[c->n - 1].role, "assistant"))
        return pcs_fail(c->ctx, PRECIS_EINVAL, "no message waits for an answer");
    forget(c, --c->n);
    return PRECIS_OK;
}

static precis_status render(precis_chat *c, char **out)
{
    return precis_chat_render(c->ctx, c->source, c->messages, c->n, 1, c->bos, c->eos, out);
}

precis_status precis_chat_next(precis_chat *c, precis_chat_text *next)
{
    char *prompt;
    *next = (precis_chat_text){ .text = "" };
    const precis_status st = render(c, &prompt);
    if (st) return st;
    precis_text_free(c->ctx, c->prompt);
    c->prompt = prompt;
    const size_t held = c->held ? strlen(c->held) : 0;
    next->follows = held && !strncmp(prompt, c->held, held);
    next->text = prompt + (next->follows ? held : 0);
    if (!next->follows) { /* all of it is read anew, and until then nothing counts as read */
        pcs_free(c->ctx, c->held);
        c->held = NULL;
    }
    next->len = strlen(next->text);
    next->flags = PRECIS_TEXT_PARSE | PRECIS_TEXT_GUARD;
    /* A template usually writes BOS itself; then it must not be added again. */
    const bool begun = *c->bos && !strncmp(next->text, c->bos, strlen(c->bos));
    if (!next->follows && !begun) next->flags |= PRECIS_TEXT_ADD;
    return PRECIS_OK;
}

/* What was read: the prompt, the answer, and the end of the turn if the template writes it next. */
precis_status precis_chat_answered(precis_chat *c, const char *answer)
{
    if (!c->prompt) return pcs_fail(c->ctx, PRECIS_EINVAL, "nothing was asked");
    precis_status st = precis_chat_say(c, "assistant", answer);
    if (st) return st;
    const char *said = c->messages[c->n - 1].content;
    const size_t asked = strlen(c->prompt), len = asked + strlen(said), end = strlen(c->eos);
    char *held = pcs_alloc(c->ctx, len + end + 1, 1), *next = NULL;
    pcs_free(c->ctx, c->held);
    c->held = held;
    if (!held) return PRECIS_ENOMEM;
    memcpy(held, c->prompt, asked);
    memcpy(held + asked, said, len - asked);
    st = render(c, &next);
    if (!st && end && !strncmp(next, held, len) && !strncmp(next + len, c->eos, end)) memcpy(held + len, c->eos, end);
    precis_text_free(c->ctx, next);
    return st == PRECIS_ENOMEM ? st : PRECIS_OK; /* a template that refuses it says so when it is asked next */
}
