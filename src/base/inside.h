/* inside.h - a file that another file names, which must lie in that one's folder. */
#ifndef PCS_INSIDE_H
#define PCS_INSIDE_H

#include "base/file.h"

/* Map `location` below `folder` ("": the working folder; else it ends in a slash). No absolute path, no "..", no links
 * on the way, no file that has another name elsewhere: PRECIS_EFORMAT. */
precis_status pcs_file_open_inside(precis_ctx *ctx, pcs_file *f, const char *folder, const char *location);

#endif
