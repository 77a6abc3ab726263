/* samples.c - the kinds of samples, and the loop over them. */
#include "quant/samples.h"

#define SAMPLES(name) extern const pcs_sample_kind pcs_sample_kind_##name;
#include "quant/samples.def"
#undef SAMPLES
const pcs_sample_kind *const pcs_sample_kinds[] = {
#define SAMPLES(name) &pcs_sample_kind_##name,
#include "quant/samples.def"
#undef SAMPLES
    NULL
};

void pcs_samples_close(pcs_samples *s)
{
    if (s->kind && s->kind->close) s->kind->close(s);
    *s = (pcs_samples){ .ctx = s->ctx };
}

static precis_status run_steps(const pcs_samples_pass *pass, const pcs_sample *sample)
{
    precis_program *p = pass->on.program;
    if (!pass->part) return pcs_program_run(p);
    precis_status st = pcs_program_run_part(p, 0, pcs_program_preamble(p));
    if (st || pass->to <= pass->from) return st;
    if (pass->cut >= 0) {
        const float *state = pass->states + sample->first * pass->width;
        pcs_program_write(p, pass->cut, state, sample->rows * pass->width * sizeof *state);
    }
    if (pass->enter) st = pass->enter(pass->user, sample);
    return st ? st : pcs_program_run_part(p, pass->from, pass->to);
}

precis_status pcs_samples_run_one(pcs_samples *s, const pcs_sample *sample, const pcs_samples_pass *pass)
{
    precis_status st = pass->before ? pass->before(pass->user, sample) : PRECIS_OK;
    if (!st && pass->checked && s->kind->decode) st = s->kind->decode(s, sample, &pass->on);
    else {
        if (!st) st = s->kind->bind(s, sample, &pass->on);
        if (!st) st = run_steps(pass, sample);
    }
    return st || !pass->after ? st : pass->after(pass->user, sample);
}

precis_status pcs_samples_run(pcs_samples *s, const pcs_samples_pass *pass)
{
    precis_status st = PRECIS_OK;
    pcs_sample at = { .i = 0 };
    for (; at.i < s->n && !st; at.i++) {
        at.rows = s->kind->rows(s, at.i);
        at.wanted = s->kind->wanted ? s->kind->wanted(s, at.i) : at.rows;
        st = pcs_samples_run_one(s, &at, pass);
        at.first += at.rows;
        at.first_wanted += at.wanted;
        if (!st && pass->stage) st = pcs_progress(s->ctx, pass->stage, at.i + 1, s->n);
    }
    return st;
}
