/* train_log.h - what a run of training left behind beside its files: a chart, and a row of the history. */
#ifndef PRECIS_CLI_TRAIN_LOG_H
#define PRECIS_CLI_TRAIN_LOG_H

#include "cli.h"

enum { TRAIN_LOG_POINTS = 2000 };

/* Every `every`th step of those that this process did. */
typedef struct train_log {
    size_t n;
    uint64_t every, steps;
    double step[TRAIN_LOG_POINTS], loss[TRAIN_LOG_POINTS], error[TRAIN_LOG_POINTS], lr[TRAIN_LOG_POINTS];
} train_log;

void train_log_step(train_log *l, const precis_train_step *s);
/* A page (OUT.html) or a figure (OUT.svg). -1, or an exit code. */
int train_log_plot(cli *c, const train_log *l, const precis_train_result *r, const char *path);
/* A row of the history at --results, or of the user's own: "train_loss" and "heldout". -1, or an exit code. */
int train_log_keep(cli *c, const train_log *l, const precis_train_result *r);

#endif
