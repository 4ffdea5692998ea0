/* SPDX-License-Identifier: ISC */
/*
 * held.c: rejected records wait in memory for the commit that decides about them.
 *
 * In the catalog's transaction any change of the catalog would commit them before the records around them, and before the
 * place that a source is read from, and after a crash they would be in quarantine twice; and if another's change failed, they
 * would be lost.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"
#include "store/cluster.h"

#define HELD_BYTES_MAX ((size_t)32 << 20)

struct ingest_held {
	STAILQ_ENTRY(ingest_held) link;
	LIST_ENTRY(ingest_held) slot_link;
	struct repeats_print print;
	struct ingest_batch *batch; /* NULL: it was abandoned */
	size_t bytes;
	struct quarantine_entry entry;
	char text[]; /* of the entry */
};

/* The texts of an entry. */
static const size_t texts[] = {
	offsetof(struct quarantine_entry, producer),     offsetof(struct quarantine_entry, field),
	offsetof(struct quarantine_entry, reason),       offsetof(struct quarantine_entry, account),
	offsetof(struct quarantine_entry, id),           offsetof(struct quarantine_entry, product),
	offsetof(struct quarantine_entry, raw),          offsetof(struct quarantine_entry, header),
	offsetof(struct quarantine_entry, product_name), offsetof(struct quarantine_entry, converted_from),
};
#define TEXTS_COUNT (sizeof(texts) / sizeof(texts[0]))

static struct str *text_of(struct quarantine_entry *entry, size_t i)
{
	return (struct str *)(void *)((char *)entry + texts[i]);
}

static struct ingest_held *copy(struct quarantine_entry *entry)
{
	size_t bytes = sizeof(struct ingest_held);

	for (size_t i = 0; i < TEXTS_COUNT; i++)
		bytes += text_of(entry, i)->len;
	struct ingest_held *held = malloc(bytes);
	if (!held)
		return NULL;
	*held = (struct ingest_held){ .bytes = bytes, .entry = *entry };
	char *at = held->text;
	for (size_t i = 0; i < TEXTS_COUNT; i++) {
		struct str *text = text_of(&held->entry, i);

		if (text->len > 0)
			memcpy(at, text->p, text->len);
		text->p = at;
		at += text->len;
	}
	return held;
}

static size_t slot_of(const struct repeats_print *print)
{
	return print->words[0] & (INGEST_HELD_SLOTS - 1);
}

int ingest_hold(struct ingest_batch *batch, uint64_t round, const struct quarantine_entry *entry, struct error *err)
{
	struct ingest *ingest = batch->ingest;
	struct quarantine_entry copied = *entry;

	if (ingest->held_bytes > HELD_BYTES_MAX)
		return error_set(err, ERROR_UNAVAILABLE,
		                 "records are rejected faster than others are stored: %zu bytes wait",
		                 ingest->held_bytes);
	struct ingest_held *held = copy(&copied);
	if (!held)
		return error_set(err, ERROR_NOMEM, "A rejected record: out of memory");
	held->batch = batch;
	held->print = repeats_print_of(&held->entry);
	LIST_INSERT_HEAD(&ingest->held_slots[slot_of(&held->print)], held, slot_link);
	batch->held_count++;
	ingest->held_bytes += held->bytes;
	ingest->round_bytes += held->bytes; /* so that a commit comes before there are too many */
	if (!ingest_is_deciding(ingest, round))
		store_cluster_note_rejected(ingest->store);
	STAILQ_INSERT_TAIL(ingest_is_deciding(ingest, round) ? &ingest->commit.held : &ingest->held, held, link);
	return 0;
}

bool ingest_holds(const struct ingest *ingest, const struct repeats_print *print)
{
	const struct ingest_held *held;

	LIST_FOREACH(held, &ingest->held_slots[slot_of(print)], slot_link)
		if (repeats_print_equal(&held->print, print))
			return true;
	return false;
}

static void drop_first(struct ingest *ingest, struct ingest_helds *list)
{
	struct ingest_held *held = STAILQ_FIRST(list);

	STAILQ_REMOVE_HEAD(list, link);
	LIST_REMOVE(held, slot_link);
	ingest->held_bytes -= held->bytes;
	if (held->batch)
		held->batch->held_count--;
	free(held);
}

int ingest_put_held(struct ingest *ingest, struct error *err)
{
	struct ingest_held *held;

	while ((held = STAILQ_FIRST(&ingest->commit.held))) {
		if (quarantine_put(ingest->meta, &held->entry, err) != 0)
			return -1;
		drop_first(ingest, &ingest->commit.held);
	}
	return 0;
}

void ingest_drop_held(struct ingest *ingest, struct ingest_helds *list)
{
	while (!STAILQ_EMPTY(list))
		drop_first(ingest, list);
}

/* Drops what is held of a batch, or, if it is NULL, of all that have failed. What is dropped is counted when it comes again. */
static void drop_of(struct ingest *ingest, const struct ingest_batch *batch, bool of_commit)
{
	struct ingest_helds *list = of_commit ? &ingest->commit.held : &ingest->held;
	struct ingest_summary *pending = of_commit ? &ingest->commit.pending : &ingest->pending;
	struct ingest_helds kept = STAILQ_HEAD_INITIALIZER(kept);
	struct ingest_held *held;

	while ((!batch || batch->held_count > 0) && (held = STAILQ_FIRST(list))) {
		struct ingest_batch *own = held->batch;

		if (own && (batch ? own == batch : ingest_batch_has_failed(own))) {
			pending->rejected--;
			own->summary.rejected--;
			own->deciding.rejected -= of_commit;
			drop_first(ingest, list);
			continue;
		}
		STAILQ_REMOVE_HEAD(list, link);
		STAILQ_INSERT_TAIL(&kept, held, link);
	}
	STAILQ_CONCAT(&kept, list);
	STAILQ_CONCAT(list, &kept);
}

void ingest_drop_held_of_failed(struct ingest *ingest)
{
	drop_of(ingest, NULL, true);
	drop_of(ingest, NULL, false);
}

static void disown(struct ingest_batch *batch, const struct ingest_helds *list)
{
	struct ingest_held *held;

	STAILQ_FOREACH(held, list, link) {
		if (batch->held_count == 0)
			return;
		if (held->batch != batch)
			continue;
		held->batch = NULL;
		batch->held_count--;
	}
}

void ingest_leave_held(struct ingest_batch *batch)
{
	struct ingest *ingest = batch->ingest;

	if (batch->holds) {
		drop_of(ingest, batch, true);
		drop_of(ingest, batch, false);
		return;
	}
	disown(batch, &ingest->commit.held);
	disown(batch, &ingest->held);
}
