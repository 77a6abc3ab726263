/* curl.h - what hub.c calls of libcurl. It is loaded when a file is first fetched: it brings some thirty libraries,
 * which each start of each command would load with it. */
#ifndef PRECIS_CLI_CURL_H
#define PRECIS_CLI_CURL_H

#include "cli.h"

#include <curl/curl.h>

typedef struct cli_curl {
    CURLcode (*global_init)(long flags);
    CURL *(*init)(void);
    CURLcode (*setopt)(CURL *curl, CURLoption option, ...);
    CURLcode (*perform)(CURL *curl);
    CURLcode (*getinfo)(CURL *curl, CURLINFO info, ...);
    const char *(*strerror)(CURLcode code);
    char *(*escape)(CURL *curl, const char *text, int len);
    void (*free)(void *text);
    void (*cleanup)(CURL *curl);
} cli_curl;

/* The file of certificate authorities, where this program has to say it; "": there is none; NULL: libcurl knows it. */
const char *cli_curl_authorities(void);

/* -1, or an exit code after a message: the library is not on this machine. It stays until the end. */
int cli_curl_load(const cli *c, const cli_curl **out);

#endif
