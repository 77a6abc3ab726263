/* samples.c - --resize, --crop, --mean, ... of commands that feed nets with samples. */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

/* "256" or "256x320". */
static bool sides(const cli *c, const char *name, uint32_t *height, uint32_t *width)
{
    const char *text = cli_get(c, name);
    char *end;
    if (!text) return true;
    const long h = strtol(text, &end, 10);
    bool good = end != text && h > 0 && h <= 32768;
    if (good && *end == 'x') {
        const char *second = end + 1;
        const long w = strtol(second, &end, 10);
        good = end != second && w > 0 && w <= 32768;
        *width = (uint32_t)w;
    }
    *height = (uint32_t)h;
    if (!good || *end) cli_usage(c, "%s %s: it is N or HxW, 1 to 32768 pixels", name, text);
    return good && !*end;
}

/* One number for all channels, or three. */
static bool channels(const cli *c, const char *name, bool positive, double out[3])
{
    const char *text = cli_get(c, name);
    if (!text) return true;
    const char *p = text;
    int n = 0;
    for (char *end; n < 3; p = end + 1) {
        const double v = strtod(p, &end);
        if (end == p || (positive && !(v > 0))) break;
        out[n++] = v;
        if (*end != ',') {
            p = end;
            break;
        }
    }
    if (n == 1) out[1] = out[2] = out[0];
    if (!*p && (n == 1 || n == 3)) return true;
    cli_usage(c, "%s %s: it is one number, or three with commas%s", name, text, positive ? ", above 0" : "");
    return false;
}

int cli_samples_options(cli *c, precis_samples_options *o)
{
    if (!sides(c, "--resize", &o->resize, &o->resize_width) || !sides(c, "--crop", &o->crop, &o->crop_width) ||
        !channels(c, "--mean", false, o->mean) || !channels(c, "--std", true, o->deviation) ||
        !cli_number(c, "--pixels", 1, 1e-6, 65535, &o->pixels))
        return EXIT_USAGE;
    o->layout = cli_get(c, "--layout");
    return -1;
}

int cli_samples_used(cli *c, const precis_samples *a, const precis_samples *b)
{
    static const char *const of_images[] = { "--resize", "--crop", "--mean", "--std", "--pixels", "--layout" };
    if ((a && precis_samples_images(a)) || (b && precis_samples_images(b))) return -1;
    for (size_t i = 0; i < sizeof of_images / sizeof *of_images; i++)
        if (cli_has(c, of_images[i]))
            return cli_usage(c, "%s is for folders of images, and there is none among the samples", of_images[i]);
    return -1;
}

precis_status cli_samples_open(cli *c, const char *option, const precis_net *net, const precis_samples_options *o,
                               precis_samples **out)
{
    size_t n = 0;
    while (cli_get_nth(c, option, (int)n)) n++;
    const char **sources = cli_alloc(n + 1, sizeof *sources);
    *out = NULL;
    if (!sources) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) sources[i] = cli_get_nth(c, option, (int)i);
    const precis_status st = precis_samples_open(c->ctx, out, net, sources, n, o);
    free(sources);
    return st;
}
