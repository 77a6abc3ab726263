/* curl.c - libcurl by its name when it is needed; or, in a static program, as a part of it. */
#include "cli.h"

#ifdef PRECIS_LIBCURL
#include "curl.h"

#ifdef PRECIS_LIBCURL_LINKED
#include <stdlib.h>
#include <unistd.h>

#undef curl_easy_setopt /* macros that look at the arguments' types */
#undef curl_easy_getinfo

/* A static program runs on systems of which each keeps its own: OpenSSL's variable, then Debian and Alpine, Fedora,
 * SUSE, BSD. */
const char *cli_curl_authorities(void)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *given = getenv("SSL_CERT_FILE");
    if (given && *given) return given;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!access(files[i], R_OK)) return files[i];
    return "";
}

int cli_curl_load(const cli *c, const cli_curl **out)
{
    static const cli_curl linked = { curl_global_init,   curl_easy_init,     curl_easy_setopt,
                                     curl_easy_perform,  curl_easy_getinfo,  curl_easy_strerror,
                                     curl_easy_escape,   curl_free,          curl_easy_cleanup };
    (void)c;
    *out = &linked;
    return -1;
}

#else
#include <dlfcn.h>

const char *cli_curl_authorities(void) { return NULL; }

/* The names under which systems keep the interface of version 4 (2006 to today). */
static const char *const names[] = {
#ifdef __APPLE__
    "libcurl.4.dylib",
#else
    "libcurl.so.4", "libcurl-gnutls.so.4",
#endif
};

int cli_curl_load(const cli *c, const cli_curl **out)
{
    static cli_curl loaded;
    static const char *const functions[] = {
        "curl_global_init",  "curl_easy_init",     "curl_easy_setopt", "curl_easy_perform",  "curl_easy_getinfo",
        "curl_easy_strerror", "curl_easy_escape", "curl_free",        "curl_easy_cleanup",
    };
    void **const places[] = {
        (void **)&loaded.global_init, (void **)&loaded.init,   (void **)&loaded.setopt,
        (void **)&loaded.perform,     (void **)&loaded.getinfo, (void **)&loaded.strerror,
        (void **)&loaded.escape,      (void **)&loaded.free,   (void **)&loaded.cleanup,
    };
    void *library = NULL;
    bool whole = true;
    for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++) library = dlopen(names[i], RTLD_NOW);
    for (size_t i = 0; library && i < sizeof places / sizeof *places; i++)
        whole &= (*places[i] = dlsym(library, functions[i])) != NULL;
    *out = &loaded;
    if (library && whole) return -1;
    const char *why = dlerror();
    cli_error(c, "a model from a hub needs libcurl, which is not here (%s); Debian's package is libcurl4. Or "
                 "fetch the file by other means and name its path", why ? why : *names);
    return EXIT_RESOURCES;
}

#endif
#endif
