/* running.c - figures of an evaluation while it goes on, beside the bar. Their errors take tokens and items for
 * independent, as those at the end do. */
#include "eval.h"

#include "term.h"

#include <math.h>
#include <string.h>

static double error_of(double sum, double squares, double n)
{
    const double mean = sum / n;
    return sqrt(fmax(squares / n - mean * mean, 0) / n);
}

void cli_running_begin(void *user, const char *name, int task)
{
    cli_running *r = user;
    const bool reference = r->reference;
    *r = (cli_running){ .reference = reference, .task = task };
    snprintf(r->name, sizeof r->name, "%s ", name);
    cli_printable(r->name);
    cli_progress_note("");
}

void cli_running_token(void *user, const precis_eval_token *t)
{
    cli_running *r = user;
    char note[96];
    r->n++;
    r->right += t->same;
    r->nll += t->nll;
    r->nll2 += t->nll * t->nll;
    r->kld += t->kld;
    r->kld2 += t->kld * t->kld;
    const double n = (double)r->n, ppl = exp(r->nll / n), se = ppl * error_of(r->nll, r->nll2, n);
    if (r->task)
        snprintf(note, sizeof note, "%sright %.1f%% +- %.1f%%", r->name, 100 * r->right / n,
                 100 * error_of(r->right, r->right, n));
    else if (r->reference)
        snprintf(note, sizeof note, "%sppl %.3f +- %.3f, KL %.5f +- %.5f", r->name, ppl, se, r->kld / n,
                 error_of(r->kld, r->kld2, n));
    else snprintf(note, sizeof note, "%sppl %.3f +- %.3f", r->name, ppl, se);
    cli_progress_note(note);
}

void cli_running_net(void *user, const precis_eval_net_result *r)
{
    char note[96] = "";
    size_t used = 0;
    (void)user;
    if (r->score && isfinite(r->net.value))
        used = (size_t)snprintf(note, sizeof note, "%s %.3f (%.3f to %.3f)", r->score, r->net.value, r->net.low,
                                r->net.high);
    if (r->has_agree)
        used += (size_t)snprintf(note + used, sizeof note - used, "%sagree %.3f (%.3f to %.3f)", used ? ", " : "",
                                 r->agree.value, r->agree.low, r->agree.high);
    else if (r->has_reference && isfinite(r->sqnr_db))
        snprintf(note + used, sizeof note - used, "%sSQNR %.1f dB", used ? ", " : "", r->sqnr_db);
    cli_progress_note(note);
}
