/* SPDX-License-Identifier: ISC */
/*
 * repeats.c: see repeats.h.
 */
#include "ingest/repeats.h"

#include <stdlib.h>

#include "base/id.h"

struct repeats {
	size_t count, bytes;
	struct repeats_print prints[REPEATS_MAX]; /* in no order: few bodies come again */
};

struct repeats_print repeats_print_of(const struct quarantine_entry *entry)
{
	const struct str texts[] = { entry->producer, entry->field, entry->reason, entry->header, entry->raw };
	struct repeats_print print = { { 1, 2 } };

	for (int i = 0; i < 2; i++)
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			print.words[i] = id_hash64(texts[t].len > 0 ? texts[t].p : "", texts[t].len,
			                           print.words[i] + texts[t].len);
	return print;
}

bool repeats_print_equal(const struct repeats_print *a, const struct repeats_print *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

static bool take(void *arg, const struct quarantine_entry *entry)
{
	struct repeats *repeats = arg;

	repeats->prints[repeats->count++] = repeats_print_of(entry);
	repeats->bytes += entry->raw.len;
	return repeats->count < REPEATS_MAX && repeats->bytes < REPEATS_BYTES;
}

struct repeats *repeats_load(struct meta *meta, struct error *err)
{
	struct repeats *repeats = calloc(1, sizeof(*repeats));

	if (!repeats) {
		error_set(err, ERROR_NOMEM, "Quarantine: out of memory");
		return NULL;
	}
	if (quarantine_each_back(meta, take, repeats, err) == 0)
		return repeats;
	free(repeats);
	return NULL;
}

bool repeats_has(const struct repeats *repeats, const struct repeats_print *print)
{
	for (size_t i = 0; i < repeats->count; i++)
		if (repeats_print_equal(&repeats->prints[i], print))
			return true;
	return false;
}

void repeats_free(struct repeats *repeats)
{
	free(repeats);
}
