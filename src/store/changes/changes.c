/* SPDX-License-Identifier: ISC */
/*
 * changes.c: a page of changes: its beginning, its order, its end. See changes.h.
 */
#include "store/changes/changes_note.h"
#include "store/changes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "store/changes/changes_private.h"
#include "store/cluster.h"

/* --- what there may be --- */

static size_t slot_of(const struct account_key *account, uint8_t product)
{
	return (size_t)(id_hash64(account->bytes, ACCOUNT_KEY_LEN, product) % STORE_CHANGED_SLOTS);
}

void changes_expect(const struct store *store, const struct partition *partition)
{
	__builtin_prefetch(&store->changed[slot_of(&partition->account, partition->product)], 1);
}

void changes_note(struct store *store, const struct partition *partition, uint64_t seq)
{
	uint64_t *changed = &store->changed[slot_of(&partition->account, partition->product)];

	if (seq > *changed)
		*changed = seq;
}

void changes_note_move(struct store *store, const struct partition *partition, uint64_t seq)
{
	store->moved[slot_of(&partition->account, partition->product)] = seq;
}

uint64_t changes_moved(const struct store *store, const struct catalog_product *product,
                       const struct account_key *account)
{
	return store->moved[slot_of(account, product->number)];
}

_Static_assert(STORE_CHANGED_SLOTS == 8 * STORE_CHANGED_BYTES, "a bit for each");

void changes_mark(struct store_changed *changed, const struct partition *partition)
{
	size_t slot = slot_of(&partition->account, partition->product);

	changed->bits[slot / 8] |= (uint8_t)(1U << slot % 8);
}

void changes_note_marked(struct store *store, const struct store_changed *changed, uint64_t seq)
{
	for (size_t slot = 0; slot < STORE_CHANGED_SLOTS; slot++)
		if ((changed->bits[slot / 8] >> slot % 8 & 1) && seq > store->changed[slot])
			store->changed[slot] = seq;
}

bool days_may_have_changes(const struct store *store, const struct catalog_product *product,
                           const struct account_key *account, uint64_t since)
{
	return store->changed[slot_of(account, product->number)] > since;
}

/* --- order --- */

static int by_seq(const void *a, const void *b)
{
	const struct change_row *left = a, *right = b;

	if (left->seq != right->seq)
		return left->seq < right->seq ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

void changes_settle(struct day_changes *changes)
{
	struct change_row *rows = changes_rows(changes);
	size_t count = changes_count(changes), kept = 0, most = changes->query.max + 1;

	if (count == 0)
		return;
	qsort(rows, count, sizeof(*rows), by_seq);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && rows[i + 1].seq == rows[i].seq)
			continue;
		rows[kept++] = rows[i];
	}
	if (kept >= most) {
		kept = most;
		changes->limit = rows[kept - 1].seq;
	}
	changes->rows.len = kept * sizeof(*rows);
}

/* --- the page --- */

static int begin(struct day_changes *changes, struct error *err)
{
	changes->snapshot = changes->store->snapshot;
	changes->limit = changes->cut = UINT64_MAX;
	buf_clear(&changes->rows);
	buf_clear(&changes->text);
	changes->day_at = changes->account_at = changes->fetch_at = 0;
	changes->hot_done = changes->listed = false;
	changes->direction = CATALOG_NO_DIRECTION;
	changes->hot_next = (struct position){ .direction = CATALOG_NO_DIRECTION };
	changes->state = CHANGES_COLLECT;
	changes_list_accounts(changes);
	return changes_list_days(changes, err);
}

/* All that is wanted has been found; one more than fits only says that there is more. */
static void end_collecting(struct day_changes *changes)
{
	size_t max = changes->query.max;

	changes_settle(changes);
	changes->page.more = changes_count(changes) > max;
	if (changes->page.more)
		changes->rows.len = max * sizeof(struct change_row);
	changes->state = CHANGES_FETCH;
}

/* The page ends before the first change that was not found again. Without any before it, all starts again. */
static void end_fetching(struct day_changes *changes)
{
	struct change_row *rows = changes_rows(changes);
	struct changes_page *page = &changes->page;
	size_t count = changes_count(changes);

	if (count > 0)
		qsort(rows, count, sizeof(*rows), by_seq);
	page->count = 0;
	while (page->count < count && rows[page->count].seq < changes->cut)
		page->count++;
	if (page->count == 0 && count > 0) {
		changes->state = CHANGES_BEGIN;
		return;
	}
	page->more |= page->count < count;
	page->up_to = page->more ? rows[page->count - 1].seq : changes->snapshot;
	changes->state = CHANGES_COMPLETE;
}

/* 1 when the step is done, 0 when the slice is over, -1. */
static int step(struct day_changes *changes, int64_t deadline_us, struct error *err)
{
	int result = 1;

	if (changes->state == CHANGES_BEGIN) {
		result = begin(changes, err) == 0 ? 1 : -1;
	} else if (changes->state == CHANGES_COLLECT) {
		result = changes_collect(changes, deadline_us, err);
		if (result > 0)
			end_collecting(changes);
	} else {
		result = changes_fetch(changes, deadline_us, err);
		if (result > 0)
			end_fetching(changes);
	}
	if (changes->rows.failed || changes->text.failed || changes->accounts.failed || changes->days.failed ||
	    changes->blocks.failed)
		return error_set(err, ERROR_NOMEM, "changes: out of memory");
	return result;
}

static int run(struct changes *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct day_changes *changes = (struct day_changes *)base;
	int result = 1;

	while (result > 0 && changes->state != CHANGES_COMPLETE) {
		result = step(changes, deadline_us, err);
		if (result > 0 && changes->state == CHANGES_BEGIN && clock_monotonic_us() >= deadline_us)
			result = 0;
	}
	*end = result > 0 ? SCAN_DONE : SCAN_PAUSED;
	return result < 0 ? -1 : 0;
}

static struct changes_page page(const struct changes *base)
{
	return ((const struct day_changes *)base)->page;
}

static struct str text(const struct changes *base, size_t index)
{
	const struct day_changes *changes = (const struct day_changes *)base;
	const struct change_row *row = &changes_rows(changes)[index];

	return (struct str){ changes->text.data + row->text_at, row->text_len };
}

static void cancel(struct changes *base)
{
	struct day_changes *changes = (struct day_changes *)base;

	store_reader_give(changes->store, changes->reader);
	buf_free(&changes->rows);
	buf_free(&changes->accounts);
	buf_free(&changes->days);
	buf_free(&changes->blocks);
	buf_free(&changes->text);
	free(changes);
}

struct changes *days_changes(struct store *store, const struct changes_query *query, struct error *err)
{
	static const struct changes_ops ops = { run, page, text, cancel };
	struct day_changes *changes = calloc(1, sizeof(*changes));

	if (changes)
		changes->reader = store_reader_take(store, err);
	if (!changes || !changes->reader) {
		free(changes);
		error_set(err, ERROR_NOMEM, "changes: out of memory");
		return NULL;
	}
	changes->base.ops = &ops;
	changes->store = store;
	changes->query = *query;
	return &changes->base;
}
