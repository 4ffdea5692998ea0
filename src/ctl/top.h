/* SPDX-License-Identifier: ISC */
/*
 * top.h: what `cdrctl top` shows, apart from how it comes onto the terminal.
 *
 *	top.c         what an overview says, the table of accounts in their order, and the command
 *	top_lines.c   both as lines of text, for the screen and for --once
 *	top_screen.c  the screen (ncurses), and its keys
 */
#ifndef CDRD_CTL_TOP_H
#define CDRD_CTL_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/tree.h"
#include "base/buf.h"
#include "base/decimal.h"
#include "ctl/ctl.h"

#define TOP_ID_MAX 64
#define TOP_CURRENCY_MAX 8

struct top_account {
	char id[TOP_ID_MAX + 1];
	char currency[TOP_CURRENCY_MAX + 1]; /* "" if nothing was charged */
	uint64_t records, requests;
	struct decimal charged;
};

struct top {
	const struct ctl *ctl;
	struct tree *overview;        /* the last one, or NULL */
	struct top_account *accounts; /* those of it that the filter lets pass, in order */
	size_t count;
	int id_columns;     /* what the longest id takes, */
	int id_columns_max; /* but no more than this; 0: whatever it takes */
	/* what is shown, and how */
	size_t column; /* of top_columns, that the accounts are in order of */
	bool reversed;
	char filter[TOP_ID_MAX + 1]; /* part of an id, in any case of letters */
	/* since the overview before */
	uint64_t cpu_ms;
	int64_t asked_us; /* monotonic; 0 for never */
	double cpu_percent;
};

/* Asks the daemon. On -1 the last overview stays. */
MUST_CHECK int top_fetch(struct top *top, struct error *err);

/* Filters and orders the accounts of the last overview anew. -1 when out of memory. */
MUST_CHECK int top_arrange(struct top *top, struct error *err);

/* --- top_lines.c --- */

struct top_column {
	const char *name;
	char key;  /* that orders by it */
	int width; /* of numbers, which stand to the right; 0 for ids */
	void (*write)(struct buf *out, const struct top_account *account);
	int (*compare)(const struct top_account *a, const struct top_account *b); /* the first one first */
};

extern const struct top_column top_columns[];
extern const size_t top_columns_count;

/* The lines above the table. One that calls for somebody begins with "!", the others with a space. */
size_t top_facts_count(const struct top *top);
void top_write_fact(struct buf *out, const struct top *top, size_t index);

/* The line above the accounts, in which the column that they are in order of is in capitals; and that of one. */
void top_write_header(struct buf *out, const struct top *top);
void top_write_account(struct buf *out, const struct top *top, const struct top_account *account);

/* --- top_screen.c --- */

/* Shows it until the user ends it. ERROR_INVALID in a build without ncurses. */
MUST_CHECK int top_screen(struct top *top, struct error *err);

#endif
