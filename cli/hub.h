/* hub.h - a model hub over HTTPS: what a repository has, and its files on the disk. */
#ifndef PRECIS_HUB_H
#define PRECIS_HUB_H

#include "cli.h"

typedef struct cli_hub cli_hub;

/* A file of a repository, as the hub says. */
typedef struct cli_hub_file {
    char *name;       /* with / between folders; checked: it stays in its folder */
    uint64_t size;    /* UINT64_MAX: not said */
    char sha256[65];  /* of large files; or empty */
    char blob[41];    /* Git's SHA-1 of others; or empty */
} cli_hub_file;

typedef struct cli_repository {
    char name[512];     /* OWNER/NAME */
    char revision[128]; /* the commit */
    cli_hub_file *files;
    size_t n;
} cli_repository;

/* -1, or an exit code, after a message: no libcurl, no memory. */
int cli_hub_open(const cli *c, cli_hub **out);
void cli_hub_close(cli_hub **hub);
/* What OWNER/NAME has at a revision. -1, or an exit code after a message. */
int cli_hub_list(cli_hub *hub, const char *name, const char *revision, cli_repository *out);
void cli_repository_free(cli_repository *r);
/* File i into `folder`/NAME, whose folders are made. One that is there is left when its hash is right; one that was
 * begun goes on where it ended. *fetched: it came from the hub. -1, or an exit code after a message. */
int cli_hub_fetch(cli_hub *hub, const cli_repository *r, size_t i, const char *folder, bool *fetched);

/* -hf OWNER/NAME[:FILE]: the path of a model that is there, or is fetched now: -1, or an exit code. */
int cli_pull_path(cli *c, const char *spec, char *path, size_t room);
/* `list models` */
int cli_list_models(cli *c);

#endif
