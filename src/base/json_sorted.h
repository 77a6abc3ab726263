/* json_sorted.h - JSON printed again in one form: members by the bytes of their keys, so that the same content has the
 * same bytes whoever wrote it. Numbers and strings stay as they are written. */
#ifndef PCS_JSON_SORTED_H
#define PCS_JSON_SORTED_H

#include "base/json.h"

typedef enum { PCS_JSON_ON_ONE_LINE, PCS_JSON_INDENTED } pcs_json_layout; /* indented: by one blank a level */

/* Adds one value to the buffer. PRECIS_EFORMAT: the text is no JSON. Keys with escapes are sorted as written. */
precis_status pcs_json_sorted(pcs_buf *out, pcs_json_slice value, pcs_json_layout layout);

#endif
