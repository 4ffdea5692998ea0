/* SPDX-License-Identifier: ISC */
/*
 * fuzz_mapping.c: any bytes as a mapping's file, and any bytes as rows of one that compiles.
 *
 * An input is the file, a line "====", and the rows. What must hold: a wrong file has a fault that is told; each item is
 * a record or has faults; and rows that arrive byte by byte become the same items as those that arrive at once.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/id.h"
#include "mapping/mapping.h"

#define BETWEEN STR_LITERAL("\n====\n")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct items {
	uint64_t count, hash;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void add(struct items *items, struct str text)
{
	items->hash = id_hash64(text.p ? text.p : "", text.len, items->hash);
}

static void on_item(void *arg, const struct parse_item *item)
{
	struct items *items = arg;
	const struct record *record = item->record;

	must(record || item->faults_count > 0);
	items->count++;
	items->hash = id_hash64(&item->line, sizeof(item->line), items->hash);
	add(items, item->raw);
	for (size_t i = 0; i < item->faults_count; i++)
		add(items, str_from(item->faults[i].reason));
	for (uint8_t i = 0; record && i < record->product->columns_count; i++)
		add(items, record->values[i]);
}

static struct items read_rows(struct mapping *mapping, struct str rows, size_t step)
{
	static const struct parse_limits limits = { 1 << 12, 1 << 10, 16 };
	struct items items = { 0 };
	struct mapping_reader *reader = mapping_reader_new(mapping, &limits, on_item, &items);
	struct error err;
	int result = 0;

	must(reader != NULL);
	for (size_t at = 0; at < rows.len && result == 0; at += step)
		result = mapping_reader_feed(reader, rows.p + at, rows.len - at < step ? rows.len - at : step, &err);
	if (result == 0)
		result = mapping_reader_finish(reader, &err);
	items.hash += (uint64_t)(result == 0) + mapping_reader_skipped(reader);
	mapping_reader_free(reader);
	return items;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_faults faults = { .count = 0 };
	const char *text = (const char *)data;
	const char *between = size > 0 ? memmem(text, size, BETWEEN.p, BETWEEN.len) : NULL;
	struct str file = { text, between ? (size_t)(between - text) + 1 : size };
	struct str rows = { between ? between + BETWEEN.len : text, between ? size - file.len - BETWEEN.len + 1 : 0 };
	struct mapping *mapping = mapping_compile("fuzz.conf", file, &faults);

	must((mapping != NULL) == (faults.count == 0));
	if (mapping) {
		struct items whole = read_rows(mapping, rows, rows.len + 1), cut = read_rows(mapping, rows, 1);

		must(whole.count == cut.count && whole.hash == cut.hash);
	}
	mapping_release(mapping);
	buf_free(&faults.lines);
	return 0;
}
