/* SPDX-License-Identifier: ISC */
/* Results for people: tables, and a plot by gnuplot. */
#ifndef PEERS_SHOW_H
#define PEERS_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "tests/bench/peers/cells.h"

/* The table of one cell and its aims, in markdown. */
void	show_cell(FILE *, const struct cells_row *, const json_t *results);
/* One line an aim, of all cells that were measured. */
void	show_aims(FILE *, const json_t *cells_measured);
/* Throughput of all cells, as parts of the limit, as SVG.  0, or -1. */
int	show_plot(const char *path, const json_t *cells_measured);

#endif /* PEERS_SHOW_H */
