/* talk.h - what `run` and its chat on the terminal share. */
#ifndef PRECIS_TALK_H
#define PRECIS_TALK_H

#include "cli.h"
#include "wrap.h"

/* A model that is open, and what it says. */
typedef struct cli_talk {
    cli *c;
    precis_model *m;
    precis_tokenizer *t;
    precis_runner *r;
    precis_session *s;
    precis_chat *chat;
    precis_runner_info info;
    precis_sampler_options sampler; /* as given, which the chat may change */
    int64_t predict;
    bool stream;
    bool goes_on, filled; /* a conversation, which no answer ends; one of them ended where the context does */
    cli_wrap *wrap;       /* NULL: text goes out as it comes */
    double first, last;   /* seconds: when the answer's first and last token came */
    uint64_t tokens;      /* of the answer */
} cli_talk;

/* run.c: columns of the terminal that answers go to; 0: it is none, or too narrow to break words for. */
unsigned cli_talk_columns(void);
/* run.c: one message, and its answer: an exit code. */
int cli_talk_turn(cli_talk *u, const char *text);
/* chat.c: messages from the terminal, or line by line from whatever else stdin is, until they end: an exit code. */
int cli_chat(cli_talk *u);

#endif
