/* zip.h - the zips that torch writes, read strictly: every member is stored as
 * it is and lies in the mapped file.
 *
 * What is normal in them and strange elsewhere: names under one root folder,
 * versions 0, month 0, sizes and sums in a descriptor after the data, a zip64
 * end record always, padding in an extra field of the local header alone
 * (nets.md A1). What holds: members lie one after another from byte 0 on
 * without a gap, the two headers and the descriptor of a member say the same,
 * and nothing follows the end record. */
#ifndef PCS_READ_PT2_ZIP_H
#define PCS_READ_PT2_ZIP_H

#include "read/netfile.h"

typedef struct pcs_zip_member {
    pcs_str name; /* without the root */
    pcs_str whole;
    uint64_t header, at, size; /* of the local header, and of the data */
    uint32_t crc;
    uint16_t flags, method;
    bool summed; /* its data have the sum that is said */
} pcs_zip_member;

typedef struct pcs_zip {
    precis_ctx *ctx;
    const char *path;
    const uint8_t *map;
    uint64_t size, directory;
    pcs_zip_member *members;
    uint32_t n;
    pcs_map names;
    uint32_t sums[8][256]; /* tables of CRC-32, eight bytes at a time */
} pcs_zip;

/* The directory and names. PRECIS_EFORMAT with the byte. The caller keeps path
 * and map. */
precis_status pcs_zip_open(precis_ctx *ctx, pcs_zip *z, const char *path, const uint8_t *map, uint64_t size);
/* Is it what the directory says? Members are in the order of the file after
 * it. */
precis_status pcs_zip_check(pcs_zip *z);
void pcs_zip_close(pcs_zip *z);
/* A member by its name under the root; NULL: there is none. */
pcs_zip_member *pcs_zip_find(pcs_zip *z, const char *name);
/* Is there a member whose name begins (ends) so? */
const pcs_zip_member *pcs_zip_like(const pcs_zip *z, const char *beginning, const char *ending);
/* Its data, with the sum that is said. PRECIS_EFORMAT otherwise. */
precis_status pcs_zip_data(pcs_zip *z, pcs_zip_member *m, const uint8_t **data);

#endif
