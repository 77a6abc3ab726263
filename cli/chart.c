/* chart.c - charts without a library: axes, lines, marks. Each series has its own colour,
 * dash and mark, so that it is readable in grey. */
#include "chart.h"
#include "cli.h"
#include "term.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As wide as what a telephone of 390 pixels leaves of its page (page.c), where a unit is a pixel and letters keep their
 * 12.5; on others the page puts figures side by side. The legend stands below, so that it never lies over a curve. */
enum { WIDTH = 356, HEIGHT = 326, LEFT = 60, RIGHT = 12, TOP = 54, BOTTOM = 52, LINE = 18, COLUMNS = 64, ROWS = 18 };

static const char *const colours[] = { "#14508c", "#c03d2b", "#1f7a4d", "#8a5a00",
                                       "#6a4c93", "#444444", "#0b8a9c", "#b03a8c" };
static const char *const dashes[] = { "", "7 4", "2 3", "10 3 2 3", "12 5", "4 2 1 2", "1 4", "14 3 3 3 3 3" };
enum { STYLES = sizeof colours / sizeof *colours };

void chart_open(chart *c, const chart_labels *l)
{
    *c = (chart){ .log_x = l->log_x, .log_y = l->log_y, .whole_x = l->whole_x, .low_y = NAN, .high_y = NAN };
    snprintf(c->name, sizeof c->name, "%s", l->name);
    snprintf(c->title, sizeof c->title, "%s", l->title);
    snprintf(c->x_label, sizeof c->x_label, "%s", l->x);
    snprintf(c->y_label, sizeof c->y_label, "%s", l->y);
}

void chart_close(chart *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->series[i].x);
        free(c->series[i].y);
    }
    c->n = 0;
}

chart_series *chart_add(chart *c, const char *label, bool points)
{
    if (c->n == CHART_SERIES) return NULL;
    chart_series *s = &c->series[c->n];
    *s = (chart_series){ .points = points,
                         .x = cli_grow(NULL, CHART_POINTS * sizeof(double)),
                         .y = cli_grow(NULL, CHART_POINTS * sizeof(double)) };
    snprintf(s->label, sizeof s->label, "%s", label);
    if (!s->x || !s->y) {
        free(s->x);
        free(s->y);
        return NULL;
    }
    c->n++;
    return s;
}

void chart_put(chart_series *s, double x, double y)
{
    if (!s || s->n == CHART_POINTS) return;
    s->x[s->n] = x;
    s->y[s->n++] = y;
}

/* ---- axes -------------------------------------------------------------------------------------------------------- */

typedef struct { double low, high; bool log, whole; double ticks[16]; int n; } axis;

static double place(const axis *a, double v) { return ((a->log ? log10(v) : v) - a->low) / (a->high - a->low); }

/* Of a logarithmic axis: these parts of each power of ten. */
static void log_ticks(axis *a, const double *parts, int n, int step)
{
    a->n = 0;
    for (int d = (int)floor(a->low); d <= a->high + 1e-9; d += step)
        for (int k = 0; k < n; k++) {
            const double v = parts[k] * pow(10, d), at = log10(v);
            if (a->whole && v != floor(v)) continue;
            if (at >= a->low - 1e-9 && at <= a->high + 1e-9 && a->n < 16) a->ticks[a->n++] = v;
        }
}

static void ticks(axis *a)
{
    if (a->log) { /* as few as say something: their numbers stand below one another */
        static const double parts[][6] = { { 1 }, { 1, 3 }, { 1, 2, 5 }, { 1, 1.5, 2, 3, 5, 7 } };
        static const int counts[] = { 1, 2, 3, 6 };
        const double decades = a->high - a->low;
        log_ticks(a, parts[0], 1, decades > 24 ? 4 : decades > 12 ? 2 : 1);
        for (int i = 1; i < 4 && a->n < 3; i++) log_ticks(a, parts[i], counts[i], 1);
        return;
    }
    const double least = a->whole ? 1 : 0, raw = fmax(least, (a->high - a->low) / 5),
                 unit = pow(10, floor(log10(raw))), part = raw / unit,
                 step = unit * (part < 1.5   ? 1
                                : part < 3.5 ? 2
                                : part < 7.5 ? 5
                                             : 10);
    for (double v = ceil(a->low / step - 1e-9) * step; v <= a->high + step * 1e-9 && a->n < 16; v += step)
        a->ticks[a->n++] = fabs(v) < step * 1e-9 ? 0 : v;
}

static axis make_axis(const chart *c, bool y)
{
    axis a = { .low = INFINITY, .high = -INFINITY, .log = y ? c->log_y : c->log_x, .whole = !y && c->whole_x };
    for (int i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->series[i].n; k++) {
            const double v = y ? c->series[i].y[k] : c->series[i].x[k],
                         other = y ? c->series[i].x[k] : c->series[i].y[k];
            if (!isfinite(v) || !isfinite(other) || (a.log && v <= 0)) continue;
            const double p = a.log ? log10(v) : v;
            a.low = fmin(a.low, p), a.high = fmax(a.high, p);
        }
    if (y && !isnan(c->low_y)) a.low = a.log ? log10(c->low_y) : c->low_y;
    if (y && !isnan(c->high_y)) a.high = a.log ? log10(c->high_y) : c->high_y;
    if (!(a.low < a.high)) a.low = isfinite(a.low) ? a.low - 0.5 : 0, a.high = a.low + 1;
    const double margin = 0.03 * (a.high - a.low);
    a.low -= margin, a.high += margin;
    ticks(&a);
    return a;
}

/* A tick's number; those of one axis have one power of ten. */
static const char *number(const axis *a, int i, char buf[32])
{
    const double v = a->ticks[i];
    double top = 0;
    for (int k = 0; k < a->n; k++) top = fmax(top, fabs(a->ticks[k]));
    const double power = floor(log10(a->log ? fabs(v) : top) + 1e-9);
    if (v != 0 && (a->log ? power >= 5 || power < -3 : power >= 7 || power < -3))
        snprintf(buf, 32, "%.4ge%d", v / pow(10, power), (int)power);
    else snprintf(buf, 32, fabs(v) >= 1e4 ? "%.7g" : "%.4g", v);
    return buf;
}

/* ---- SVG --------------------------------------------------------------------------------------------------------- */

void chart_escape(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '&') fputs("&amp;", f);
        else if (*s == '<') fputs("&lt;", f);
        else if (*s == '>') fputs("&gt;", f);
        else if (*s == '"') fputs("&quot;", f);
        else fputc(*s, f);
    }
}

static void mark(FILE *f, int style, double x, double y)
{
    const char *c = colours[style % STYLES];
    switch (style % 4) {
    case 0: fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.8\" fill=\"%s\" fill-opacity=\".6\"/>", x, y, c); break;
    case 1:
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"5\" height=\"5\" fill=\"none\" stroke=\"%s\"/>", x - 2.5,
                y - 2.5, c);
        break;
    case 2: fprintf(f, "<path d=\"M%.1f %.1fl3.2 5.6h-6.4z\" fill=\"%s\"/>", x, y - 3.4, c); break;
    default:
        fprintf(f, "<path d=\"M%.1f %.1fl5.4 5.4m0 -5.4l-5.4 5.4\" stroke=\"%s\" fill=\"none\"/>", x - 2.7, y - 2.7, c);
        break;
    }
}

/* A series without a label belongs to the one before it: the points of a line. */
static int style_of(const chart *c, int i) { return i && !*c->series[i].label ? i - 1 : i; }

/* One that stands for itself, as the plan among others, is larger, and lies over them with a white edge. */
static void mark_of(const chart *c, FILE *f, int i, double x, double y)
{
    if (c->series[i].n != 1) mark(f, style_of(c, i), x, y);
    else {
        fprintf(f, "<g transform=\"translate(%.1f %.1f) scale(1.8)\" stroke=\"#fff\" stroke-width=\".8\">", x, y);
        mark(f, style_of(c, i), 0, 0);
        fputs("</g>", f);
    }
}

static void frame(const chart *c, FILE *f, const axis *x, const axis *y)
{
    char buf[32];
    const double w = WIDTH - LEFT - RIGHT, h = HEIGHT - TOP - BOTTOM;
    for (int i = 0; i < y->n; i++) {
        const double py = TOP + h * (1 - place(y, y->ticks[i]));
        if (py < TOP - 1 || py > TOP + h + 1) continue;
        fprintf(f,
                "<path d=\"M%d %.1fh%.0f\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                LEFT, py, w, LEFT - 6, py + 4, number(y, i, buf));
    }
    for (int i = 0; i < x->n; i++) {
        const double px = LEFT + w * place(x, x->ticks[i]);
        if (px < LEFT - 1 || px > LEFT + w + 1) continue;
        fprintf(f,
                "<path d=\"M%.1f %dv%.0f\" stroke=\"#eee\"/><text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%s</text>\n",
                px, TOP, h, px, HEIGHT - BOTTOM + 17, number(x, i, buf));
    }
    fprintf(f,
            "<rect x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"%.0f\" fill=\"none\" stroke=\"#888\"/>\n<text x=\"%d\" "
            "y=\"20\" font-weight=\"bold\">",
            LEFT, TOP, w, h, 10);
    chart_escape(f, c->title);
    fprintf(f, "</text>\n<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">", LEFT + w / 2, HEIGHT - 16);
    chart_escape(f, c->x_label);
    fputs("</text>\n<text x=\"10\" y=\"42\" fill=\"#555\">", f); /* level, so that no number lies under it */
    chart_escape(f, c->y_label);
    fputs("</text>\n", f);
}

static int labelled(const chart *c)
{
    int n = 0;
    for (int i = 0; i < c->n; i++) n += *c->series[i].label != 0;
    return n;
}

static void legend(const chart *c, FILE *f)
{
    int y = HEIGHT;
    for (int i = 0; i < c->n; i++) {
        const chart_series *s = &c->series[i];
        if (!*s->label) continue;
        if (s->points) mark_of(c, f, i, LEFT + 12, y + LINE / 2 - 4);
        else
            fprintf(f, "<path d=\"M%d %dh24\" stroke=\"%s\" stroke-width=\"1.8\" stroke-dasharray=\"%s\"/>", LEFT,
                    y + LINE / 2 - 4, colours[i % STYLES], dashes[i % STYLES]);
        fprintf(f, "<text x=\"%d\" y=\"%d\">", LEFT + 32, y + LINE / 2);
        chart_escape(f, s->label);
        fputs("</text>\n", f);
        y += LINE;
    }
}

void chart_svg(const chart *c, FILE *f, bool inline_)
{
    const axis x = make_axis(c, false), y = make_axis(c, true);
    const double w = WIDTH - LEFT - RIGHT, h = HEIGHT - TOP - BOTTOM;
    const int height = HEIGHT + LINE * labelled(c);
    if (!inline_) fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", f);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"12.5\" fill=\"#222\" role=\"img\" aria-label=\"",
            WIDTH, height);
    chart_escape(f, c->title);
    fprintf(f,
            "\">\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<clipPath id=\"%s\"><rect x=\"%d\" y=\"%d\" "
            "width=\"%.0f\" height=\"%.0f\"/></clipPath>\n",
            WIDTH, height, c->name, LEFT, TOP, w, h);
    frame(c, f, &x, &y);
    fprintf(f, "<g clip-path=\"url(#%s)\">\n", c->name);
    for (int i = 0; i < c->n; i++) {
        const chart_series *s = &c->series[i];
        bool pen = false;
        if (!s->points)
            fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-dasharray=\"%s\" d=\"",
                    colours[i % STYLES], dashes[i % STYLES]);
        for (size_t k = 0; k < s->n; k++) {
            const double px = LEFT + w * place(&x, s->x[k]), py = TOP + h * (1 - place(&y, s->y[k]));
            const bool there = isfinite(px) && isfinite(py) && fabs(py) < 1e5;
            if (there && s->points) mark_of(c, f, i, px, py);
            else if (there) fprintf(f, "%c%.1f %.1f", pen ? 'L' : 'M', px, py);
            pen = there;
        }
        if (!s->points) fputs("\"/>", f);
        fputc('\n', f);
    }
    fputs("</g>\n", f);
    legend(c, f);
    fputs("</svg>\n", f);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* Lines are filled in. */
static void draw(const chart_series *s, char mark_, const axis *x, const axis *y, char grid[ROWS][COLUMNS + 1],
                 int columns)
{
    double last_x = NAN, last_y = NAN;
    for (size_t k = 0; k < s->n; k++) {
        const double px = place(x, s->x[k]) * (columns - 1), py = (1 - place(y, s->y[k])) * (ROWS - 1);
        const int steps = s->points || !isfinite(last_x + last_y)
                              ? 1
                              : (int)fmin(200, 2 * fmax(fabs(px - last_x), fabs(py - last_y)) + 1);
        for (int q = 1; q <= steps && isfinite(px + py); q++) {
            const double t = (double)q / steps, gx = steps > 1 ? last_x + (px - last_x) * t : px,
                         gy = steps > 1 ? last_y + (py - last_y) * t : py;
            if (gx >= -0.5 && gx < columns - 0.5 && gy >= -0.5 && gy < ROWS - 0.5)
                grid[(int)(gy + 0.5)][(int)(gx + 0.5)] = mark_;
        }
        last_x = px, last_y = py;
    }
}

static void put_ticks(const axis *x, int columns)
{
    char line[COLUMNS + 16], buf[32];
    memset(line, ' ', sizeof line);
    line[columns] = 0;
    for (int i = 0; i < x->n; i++) {
        const int at = (int)(place(x, x->ticks[i]) * (columns - 1) + 0.5),
                  n = (int)strlen(number(x, i, buf));
        bool room = at >= 0 && at + n <= columns;
        for (int k = at > 0 ? at - 1 : 0; room && k < at + n; k++) room = line[k] == ' ';
        if (room) memcpy(line + at, buf, (size_t)n);
    }
    printf("%11s%s\n", "", line);
}

void chart_text(const chart *c)
{
    const int columns = cli_columns() < COLUMNS + 12 ? cli_columns() - 12 : COLUMNS;
    const axis x = make_axis(c, false), y = make_axis(c, true);
    char grid[ROWS][COLUMNS + 1], buf[32];
    for (int r = 0; r < ROWS; r++) memset(grid[r], ' ', COLUMNS), grid[r][columns] = 0;
    for (int i = 0; i < c->n; i++)
        draw(&c->series[i], (char)(c->series[i].points ? '.' : 'a' + i), &x, &y, grid, columns);
    cli_row(4, "%s", c->title);
    cli_row(4, "%s", c->y_label);
    for (int r = 0; r < ROWS; r++) {
        const char *label = "";
        for (int i = 0; i < y.n; i++)
            if ((int)((1 - place(&y, y.ticks[i])) * (ROWS - 1) + 0.5) == r) label = number(&y, i, buf);
        printf("%9s |%s\n", label, grid[r]);
    }
    printf("%9s +%.*s\n", "", columns, "----------------------------------------------------------------");
    put_ticks(&x, columns);
    printf("%11s%s\n", "", c->x_label);
    for (int i = 0; i < c->n; i++)
        if (*c->series[i].label)
            cli_row(14, "%11s%c  %s", "", c->series[i].points ? '.' : 'a' + i, c->series[i].label);
    putchar('\n');
}
