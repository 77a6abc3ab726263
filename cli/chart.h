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
    bool log_x, log_y;
    int n;
    chart_series series[CHART_SERIES];
    double low_y, high_y; /* NAN: from the points */
} chart;

typedef struct chart_labels { const char *name, *title, *x, *y; bool log_x, log_y; } chart_labels;
/* Empty, with these labels. */
void chart_open(chart *c, const chart_labels *l);
void chart_close(chart *c);
/* A new series, or NULL when there is no more room. */
chart_series *chart_add(chart *c, const char *label, bool points);
void chart_put(chart_series *s, double x, double y); /* points that are not finite break the line */
/* Colours are told apart in grey by dashes and marks. inline_: for a page, without the XML head. */
void chart_svg(const chart *c, FILE *f, bool inline_);
/* 76 columns, letters for series. */
void chart_text(const chart *c, FILE *f);
/* Text of HTML and SVG. */
void chart_escape(FILE *f, const char *s);

#endif
