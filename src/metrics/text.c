/* SPDX-License-Identifier: ISC */
/*
 * text.c: the exposition format's lines. See text.h.
 */
#include "metrics/text.h"

#include <stdlib.h>

#include "base/clock.h"

/* Bounds 2^8 - 1 us (about 0.26 ms) to 2^25 - 1 us (about 34 s). */
#define BOUND_BITS_MIN 8
#define BOUND_BITS_MAX 25

void text_begin(struct buf *out, enum text_type type, const char *name, const char *help)
{
	static const char *const types[] = {
		[TEXT_COUNTER] = "counter",
		[TEXT_GAUGE] = "gauge",
		[TEXT_HISTOGRAM] = "histogram",
	};

	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

void text_label(struct buf *labels, const char *name, const char *value)
{
	if (labels->len > 0)
		buf_add_char(labels, ',');
	buf_add_text(labels, name);
	buf_add_text(labels, "=\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_add_char(labels, '\\');
		buf_add_char(labels, *value == '\n' ? ' ' : *value);
	}
	buf_add_char(labels, '"');
}

/* "name_suffix{labels,more} " */
static void begin_sample(struct buf *out, const char *name, const char *suffix, struct str labels, const char *more)
{
	buf_add_text(out, name);
	buf_add_text(out, suffix);
	if (labels.len > 0 || more[0]) {
		buf_add_char(out, '{');
		buf_add_str(out, labels);
		if (labels.len > 0 && more[0])
			buf_add_char(out, ',');
		buf_add_text(out, more);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ' ');
}

static void add_seconds(struct buf *out, int64_t us)
{
	buf_addf(out, "%s%lld.%06lld", us < 0 ? "-" : "", llabs(us / CLOCK_US_PER_SECOND),
	         llabs(us % CLOCK_US_PER_SECOND));
}

void text_uint(struct buf *out, const char *name, struct str labels, uint64_t value)
{
	begin_sample(out, name, "", labels, "");
	buf_addf(out, "%llu\n", (unsigned long long)value);
}

void text_seconds(struct buf *out, const char *name, struct str labels, int64_t us)
{
	begin_sample(out, name, "", labels, "");
	add_seconds(out, us);
	buf_add_char(out, '\n');
}

void text_ratio(struct buf *out, const char *name, struct str labels, double value)
{
	begin_sample(out, name, "", labels, "");
	buf_addf(out, "%.6f\n", value);
}

static void add_bucket(struct buf *out, const char *name, struct str labels, const char *bound, uint64_t count)
{
	begin_sample(out, name, "_bucket", labels, bound);
	buf_addf(out, "%llu\n", (unsigned long long)count);
}

void text_histogram(struct buf *out, const char *name, struct str labels, const struct histogram *histogram)
{
	struct buf bound = { 0 };

	for (int bits = BOUND_BITS_MIN; bits <= BOUND_BITS_MAX; bits++) {
		int64_t us = (INT64_C(1) << bits) - 1;

		buf_clear(&bound);
		buf_add_text(&bound, "le=\"");
		add_seconds(&bound, us);
		buf_add_char(&bound, '"');
		if (buf_cstr(&bound))
			add_bucket(out, name, labels, bound.data, histogram_count_to(histogram, us));
	}
	buf_free(&bound);
	add_bucket(out, name, labels, "le=\"+Inf\"", histogram->total);
	begin_sample(out, name, "_sum", labels, "");
	add_seconds(out, histogram->sum_us);
	buf_add_char(out, '\n');
	begin_sample(out, name, "_count", labels, "");
	buf_addf(out, "%llu\n", (unsigned long long)histogram->total);
}
