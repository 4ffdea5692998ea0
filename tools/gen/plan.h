/* SPDX-License-Identifier: ISC */
/*
 * plan.h: a product's columns made ready for one output format.
 *
 * All that does not change from record to record is done once: makers looked up, samples escaped, and the bytes in
 * front of each value (`,"status":"`) put together.
 */
#ifndef CDRD_GEN_PLAN_H
#define CDRD_GEN_PLAN_H

#include "base/buf.h"
#include "base/error.h"
#include "gen/gen.h"
#include "gen/values.h"

struct gen_plan {
	const struct catalog_product *product;
	size_t columns_count;
	struct gen_column columns[CATALOG_COLUMNS_MAX];
	struct str *samples; /* all columns' */
	struct buf text;     /* what `samples` and the columns' `before` point into */
	struct gen_bodies *bodies;
};

/* How a format writes what does not vary. */
struct gen_plan_format {
	void (*escape)(struct buf *out, struct str text);             /* a text within its quotes */
	void (*before)(struct buf *out, struct str name, bool first); /* what stands in front of a column's value */
};

/* Columns of bodies are left out unless options->with_body; those that inbound records lack, when only inbound ones
 * are wanted. ERROR_NOMEM, with nothing to free. */
MUST_CHECK int gen_plan_make(struct gen_plan *plan, const struct gen_options *options,
                             const struct gen_plan_format *format, struct error *err);
void gen_plan_free(struct gen_plan *plan);

#endif
