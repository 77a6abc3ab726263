/* coding_text.h - the windows that a job codes its file from, where the method is its own choice. */
#ifndef PCS_CODING_TEXT_H
#define PCS_CODING_TEXT_H

#include "precis/job.h"
#include "quant/methods.h"

/* Are they of the text that the profile samples? Then the copy is opened without a text. */
bool pcs_coding_text_profiled(const precis_job_options *o, const precis_quant_options *q);
/* The copy's windows become those: of its text, or of the profile's (q->profile). A job whose method the caller chose
 * keeps all of its text. */
precis_status pcs_coding_text(pcs_work *w, const precis_job_options *o, const precis_quant_options *q);

#endif
