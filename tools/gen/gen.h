/* SPDX-License-Identifier: ISC */
/*
 * gen.h: sample records of a product, as many as wanted, written as fast as a pipe takes them.
 *
 * The same options give the same bytes on every machine. Times ascend, one record to each of `count` equal parts of
 * the range, at a random place within its part.
 */
#ifndef CDRD_GEN_GEN_H
#define CDRD_GEN_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "catalog/catalog.h"
#include "gen/accounts.h"

enum gen_format { GEN_NDJSON, GEN_MSGPACK, GEN_CSV, GEN_FORMATS };

struct gen_options {
	const struct catalog_product *product;
	const struct str *accounts; /* each record draws one, all alike */
	size_t accounts_count;
	const struct gen_accounts *sized_accounts; /* instead, if not NULL: one by its size */
	uint64_t count;
	int64_t from_us; /* rounded up to a whole second, for that is how times are written */
	int64_t to_us;
	uint64_t seed;
	enum gen_format format;
	enum catalog_direction direction; /* CATALOG_NO_DIRECTION: one record in five is inbound */
	bool with_body;
};

/* The format called `name` ("ndjson", "msgpack", "csv"); false if there is none. */
bool gen_format_parse(struct str name, enum gen_format *format);

/* Writes the records to `fd`: NDJSON lines, msgpack maps one after another, or CSV like a report file (without the
 * product's name). Blocks. Returns 0, or -1 when the range is empty, writing fails or out of memory. */
MUST_CHECK int gen_write(const struct gen_options *options, int fd, struct error *err);

#endif
