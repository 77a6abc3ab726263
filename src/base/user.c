/* user.c - where a user keeps what is precis's: $XDG_CACHE_HOME and $XDG_STATE_HOME, or ~/.cache and ~/.local/state
 * (XDG Base Directory Specification, which says that a relative path there counts as none). */
#include "precis/record.h"

#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        mkdir(path, 0700); /* the last one says whether it worked */
        *p = '/';
    }
    return !mkdir(path, 0700) || errno == EEXIST;
}

int precis_user_folder(precis_user_kind kind, const char *name, int make, char *path, size_t room)
{
    const bool cache = kind == PRECIS_USER_CACHE;
    const char *given = getenv(cache ? "XDG_CACHE_HOME" : "XDG_STATE_HOME"), *home = getenv("HOME");
    const bool own = given && *given == '/';
    if (!own && (!home || *home != '/')) return 0;
    const int n = snprintf(path, room, "%s%s/precis%s%s", own ? given : home,
                           own ? "" : cache ? "/.cache" : "/.local/state", name ? "/" : "", name ? name : "");
    return n > 0 && (size_t)n < room && (!make || make_folders(path));
}
