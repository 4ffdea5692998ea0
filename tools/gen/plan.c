/* SPDX-License-Identifier: ISC */
/*
 * plan.c: builds the plan of a product and a format.
 */
#include "gen/plan.h"

#include <stdlib.h>

/* The most bytes that a byte becomes when escaped: \u0000. */
#define ESCAPED_BYTES_MAX 6
#define BEFORE_BYTES_MAX 16 /* besides the column's name */

static bool is_wanted(const struct catalog_column *column, const struct gen_options *options)
{
	if (column->kind == CATALOG_BODY && !options->with_body)
		return false;
	return options->direction != CATALOG_INBOUND || column->inbound;
}

/* How many samples there are, and the most text that all columns may need. */
static size_t measure(const struct catalog_product *product, size_t *text_bytes)
{
	size_t count = 0;

	*text_bytes = 0;
	for (uint8_t i = 0; i < product->columns_count; i++) {
		const struct catalog_column *column = &product->columns[i];

		*text_bytes += column->name.len + BEFORE_BYTES_MAX;
		for (const char *const *sample = column->samples; sample && *sample; sample++) {
			*text_bytes += strlen(*sample) * ESCAPED_BYTES_MAX;
			count++;
		}
	}
	return count;
}

static struct str added_since(const struct buf *text, size_t start)
{
	return (struct str){ text->data + start, text->len - start };
}

/* Returns the place in the samples after this column's. */
static struct str *add_column(struct gen_plan *plan, uint8_t index, struct str *samples,
                              const struct gen_plan_format *format)
{
	const struct catalog_column *column = &plan->product->columns[index];
	struct gen_column *made = &plan->columns[plan->columns_count];
	size_t start = plan->text.len;

	format->before(&plan->text, column->name, plan->columns_count == 0);
	*made = (struct gen_column){
		.column = column,
		.make = gen_maker_find(plan->product, index),
		.samples = samples,
		.before = added_since(&plan->text, start),
	};
	for (const char *const *sample = column->samples; sample && *sample; sample++) {
		start = plan->text.len;
		format->escape(&plan->text, str_from(*sample));
		samples[made->samples_count++] = added_since(&plan->text, start);
	}
	plan->columns_count++;
	return samples + made->samples_count;
}

int gen_plan_make(struct gen_plan *plan, const struct gen_options *options, const struct gen_plan_format *format,
                  struct error *err)
{
	size_t text_bytes;
	size_t samples_count = measure(options->product, &text_bytes);
	struct str *samples;

	*plan = (struct gen_plan){ .product = options->product };
	plan->samples = calloc(samples_count + 1, sizeof(*plan->samples));
	plan->bodies = gen_bodies_new(format->escape);
	/* all of it at once: the runs that point into the text must not move */
	plan->text.max_bytes = text_bytes;
	if (!plan->samples || !plan->bodies || !buf_reserve(&plan->text, text_bytes))
		goto no_memory;
	samples = plan->samples;
	for (uint8_t i = 0; i < options->product->columns_count; i++)
		if (i != options->product->version_column && is_wanted(&options->product->columns[i], options))
			samples = add_column(plan, i, samples, format);
	if (plan->text.failed)
		goto no_memory;
	return 0;
no_memory:
	gen_plan_free(plan);
	return error_set(err, ERROR_NOMEM, "%.*s: out of memory", STR_ARGS(options->product->name));
}

void gen_plan_free(struct gen_plan *plan)
{
	free(plan->samples);
	gen_bodies_free(plan->bodies);
	buf_free(&plan->text);
	*plan = (struct gen_plan){ 0 };
}
