/* page.c - pages of charts: one file, no scripts, nothing fetched; figures side by side where there is room. */
#include "chart.h"
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>

static const char style[] =
    "body{font:16px/1.5 sans-serif;color:#222;margin:0 auto;max-width:75rem;padding:1rem}"
    "h1{font-size:1.5rem;line-height:1.2;overflow-wrap:anywhere}"
    "main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1.5rem}figure{margin:0}"
    "svg{width:100%;max-width:36rem;height:auto;box-sizing:border-box;border:1px solid #ddd}"
    "figcaption{font-size:.9rem;color:#444}"
    "table{border-collapse:collapse;font-size:.9rem}td,th{padding:.15rem .6rem;text-align:left;"
    "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "pre{white-space:pre-wrap;background:#f6f6f6;padding:.6rem;font-size:.85rem}.t{overflow-x:auto;margin-top:1rem}"
    "@media(max-width:30rem){table{font-size:.8rem}td,th{padding:.15rem .2rem}}"
    "p{overflow-wrap:anywhere}";

void page_begin(FILE *f, const char *title)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width, initial-scale=1\">\n<title>", f);
    chart_escape(f, title);
    fprintf(f, " - precis</title>\n<style>%s</style></head><body>\n<h1>", style);
    chart_escape(f, title);
    fputs("</h1>\n", f);
}

void page_paragraph(FILE *f, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fputs("<p>", f);
    chart_escape(f, text);
    fputs("</p>\n", f);
}

void page_figures(FILE *f, const chart *figures, int n)
{
    fputs("<main>\n", f);
    for (int i = 0; i < n; i++) {
        fputs("<figure>", f);
        chart_svg(&figures[i], f, true);
        fputs("<figcaption>", f);
        chart_escape(f, figures[i].note);
        fputs("</figcaption></figure>\n", f);
    }
    fputs("</main>\n", f);
}

void page_table(FILE *f, const char *const (*rows)[2], size_t n)
{
    fputs("<div class=\"t\"><table>\n", f);
    for (size_t i = 0; i < n; i++) {
        fputs("<tr><td>", f);
        chart_escape(f, rows[i][0]);
        fputs("</td><td class=\"n\">", f);
        chart_escape(f, rows[i][1]);
        fputs("</td></tr>\n", f);
    }
    fputs("</table></div>\n", f);
}

void page_end(FILE *f) { fprintf(f, "<p>Made by precis %s.</p>\n</body></html>\n", precis_version()); }

int page_write(const cli *c, const char *path, void (*fill)(FILE *f, void *user), void *user)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = cli_text_stream(&text, &len);
    if (f) fill(f, user);
    bool bad = !f || ferror(f);
    bad = !cli_text_close(f, &text) || bad;
    const int rc = bad || cli_lacks_memory(c) ? cli_no_memory(c) : -1;
    const precis_status st = rc < 0 ? precis_write_file(c->ctx, path, text, len) : PRECIS_OK;
    free(text);
    return st ? cli_fail(c, st) : rc;
}
