/* chart.h - line and point charts as SVG or as text, for pages of results. */
#ifndef PRECIS_CLI_CHART_H
#define PRECIS_CLI_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CHART_SERIES = 12, CHART_POINTS = 2048 };

typedef struct chart_series {
    char label[64];
    bool points;       /* marks without a line */
    size_t n;
    double *x, *y;     /* CHART_POINTS each */
} chart_series;

typedef struct chart {
    char name[32], title[120], x_label[80], y_label[80], note[400];
    bool log_x, log_y, whole_x;
    int n;
    chart_series series[CHART_SERIES];
    double low_y, high_y; /* NAN: from the points */
} chart;

/* whole_x: x counts something (runs, layers, tokens), so that no tick of it has a fraction. */
typedef struct chart_labels { const char *name, *title, *x, *y; bool log_x, log_y, whole_x; } chart_labels;
/* Empty, with these labels. */
void chart_open(chart *c, const chart_labels *l);
void chart_close(chart *c);
/* A new series, or NULL when there is no more room. */
chart_series *chart_add(chart *c, const char *label, bool points);
void chart_put(chart_series *s, double x, double y); /* points that are not finite break the line */
/* Colours are told apart in grey by dashes and marks. inline_: for a page, without the XML head. */
void chart_svg(const chart *c, FILE *f, bool inline_);
/* To stdout, as wide as the terminal and at most 76 columns, letters for series. */
void chart_text(const chart *c);
/* Text of HTML and SVG. */
void chart_escape(FILE *f, const char *s);

/* page.c - a page of charts that needs nothing else. Its head, up to the text below the title; a figure with its note;
 * a table of names and values; its end. */
void page_begin(FILE *f, const char *title);
void page_paragraph(FILE *f, const char *fmt, ...);
void page_figures(FILE *f, const chart *figures, int n);
void page_table(FILE *f, const char *const (*rows)[2], size_t n);
void page_end(FILE *f);
/* --html FILE of a command: what `fill` writes, whole or not at all. -1, or an exit code. */
struct cli;
int page_write(const struct cli *c, const char *path, void (*fill)(FILE *f, void *user), void *user);

#endif
