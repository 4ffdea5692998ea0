/* SPDX-License-Identifier: ISC */
/*
 * move_finish.c: finishing what a crash or a failed commit has left of records that change their days. See moves.h.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/meta.h"
#include "store/changes/changes_note.h"
#include "store/erased.h"
#include "store/putting/moves_private.h"
#include "store/putting/put_private.h"

#define AGAIN_US (10 * CLOCK_US_PER_SECOND)

/* The next entry of *rest; false at the end of what can be read. */
static bool take_entry(struct str *rest, struct move_head *head, struct str *row)
{
	if (rest->len < sizeof(*head))
		return false;
	memcpy(head, rest->p, sizeof(*head));
	*row = (struct str){ rest->p + sizeof(*head), head->row_bytes };
	if (head->magic != MOVES_MAGIC || head->row_bytes > rest->len - sizeof(*head) ||
	    moves_crc(head, row->p) != head->crc32)
		return false;
	rest->p += sizeof(*head) + row->len;
	rest->len -= sizeof(*head) + row->len;
	return true;
}

/* Puts the record into its new day, taking it out of the old one if it is there. Its place is the one that a tombstone
 * may lead to; but others may have been committed since, so the feed of changes sees a new change. */
static int put_again(struct put *put, const struct stored *old, const struct position *to)
{
	uint64_t seq;

	if (store_next_seq(put->store, &seq, put->err) != 0)
		return -1;
	put->store->uncommitted++;
	put->day->gains = true;
	bloom_filter_note_changes(put->day->filter, seq, seq);
	changes_note(put->store, &put->partition, seq);
	if (old && put_leave(put, old, to) != 0)
		return -1;
	return put_insert(put, to, seq);
}

/* Was it put at its present position after the move, by a later, acknowledged commit? What finishing itself has changed
 * is older than it looks. */
static bool is_changed_since(const struct put *put, const struct stored *stored, const struct position *to)
{
	return stored->changed_seq > to->seq && stored->changed_seq <= put->store->moves->began_seq;
}

static int finish(struct put *put, int32_t from_day, const struct position *to)
{
	struct stored stored, old;
	struct day *old_day = put_open_day(put->store, from_day, false, put->err);

	if (!old_day && put->err->code != ERROR_NONE)
		return -1;
	int found = put_find(put, &stored);
	if (found < 0)
		return -1;
	/* Looking reuses the reader of what was found, of which only the position is needed from here on. */
	int was_there = old_day ? put_find_in(put, old_day, &old) : 0;
	if (was_there < 0)
		return -1;
	/* One that came back to the old day, by a later entry, has a later place there. */
	bool leaves = was_there && old.position.seq < to->seq;
	bool is_newer = leaves && is_changed_since(put, &old, to);
	if (found) {
		put->store->uncommitted++;
		if (is_newer && old.changed_seq > stored.changed_seq)
			return put_leave(put, &stored, NULL);
		return leaves ? put_leave(put, &old, &stored.position) : 0;
	}
	if (is_newer || (was_there && !leaves))
		return 0;
	return put_again(put, leaves ? &old : NULL, to);
}

/* Does what an entry says, as far as it was not done. */
static int finish_entry(struct store *store, const struct move_head *head, struct str row, struct error *err)
{
	static const struct store_versions versions = { .merge = false, .column = CATALOG_NONE };
	const struct catalog_product *product = catalog_product_numbered(head->product);
	struct position to = { head->to_us, head->to_seq, head->to_direction };
	struct bloom_filter_key keys[CATALOG_COLUMNS_MAX];
	struct record record;
	uint64_t seq;

	if (!product)
		return error_set(err, ERROR_CORRUPT, "moves: product number %u is unknown", head->product);
	if (record_unpack(&record, product, row, &seq, err) != 0)
		return -1;
	record_set_account_key(&record, &head->account);
	(void)erased_clean(store, &record, head->to_us); /* which has not looked into the file */
	struct put put = { .store = store,
		           .record = &record,
		           .versions = &versions,
		           .time_us = head->to_us,
		           .keys = keys,
		           .err = err };
	put.partition = partition_of(&head->account, head->product, head->to_direction);
	put.day = put_open_day(store, clock_day_of(put.time_us), true, err);
	return put.day && put_prepare_ids(&put) == 0 ? finish(&put, head->from_day, &to) : -1;
}

/* Finishes all entries with one commit, or each with its own; those that fail are appended to *left, unless that is
 * NULL. */
static int finish_entries(struct store *store, struct str rest, struct buf *left, uint64_t *count, struct error *err)
{
	struct move_head head;
	struct str row;
	int result = 0;

	for (*count = 0; result == 0 && take_entry(&rest, &head, &row); ++*count) {
		result = finish_entry(store, &head, row, err);
		if (result == 0 && left)
			result = days_commit(store, err);
		else if (result != 0)
			store_abort(store);
		if (result == 0 || !left)
			continue;
		log_error("store", "a record that was moved to another day: %s", err->message);
		buf_add(left, &head, sizeof(head));
		buf_add_str(left, row);
		result = 0;
	}
	return result == 0 && !left ? days_commit(store, err) : result;
}

static int read_left(struct moves *moves, struct buf *out, struct error *err)
{
	if (!buf_reserve(out, moves->left_bytes))
		return error_set(err, ERROR_NOMEM, "moves: out of memory");
	while (out->len < moves->left_bytes) {
		ssize_t len = pread(moves->fd, out->data + out->len, moves->left_bytes - out->len, (off_t)out->len);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return error_set_errno(err, len < 0 ? errno : EIO, "%s: read", moves->path.data);
		out->len += (size_t)len;
	}
	return 0;
}

static int finish_all(struct store *store, struct buf *bytes, struct buf *left, struct error *err)
{
	struct moves *moves = store->moves;
	uint64_t count;

	if (read_left(moves, bytes, err) != 0)
		return -1;
	if (finish_entries(store, buf_str(bytes), NULL, &count, err) != 0)
		(void)finish_entries(store, buf_str(bytes), left, &count, err);
	if (left->failed)
		return error_set(err, ERROR_NOMEM, "moves: out of memory");
	if (left->len == 0)
		log_info("store", "finished what %llu records that were moved to another day had left undone",
		         (unsigned long long)count);
	if (moves->keeps && left->len == 0) {
		moves->kept_bytes += moves->left_bytes;
		moves->left_bytes = 0;
		return 0;
	}
	if (moves->keeps)
		return 0;
	/* Where nothing more was finished, the file stays as it is. */
	if (left->len > 0 && left->len < bytes->len && moves_write_at(moves, buf_str(left), 0, err) != 0)
		return -1;
	moves->left_bytes = left->len;
	moves_cut(moves);
	return 0;
}

void moves_finish(struct store *store)
{
	struct moves *moves = store->moves;
	struct buf bytes = { 0 }, left = { 0 };
	struct error err;

	if (!moves_are_left(store) || clock_monotonic_us() < moves->again_us)
		return;
	moves->finishing = true;
	moves->began_seq = store->last_seq;
	if (finish_all(store, &bytes, &left, &err) != 0)
		log_error("store", "%s", err.message);
	moves->finishing = false;
	moves->again_us = clock_monotonic_us() + AGAIN_US;
	buf_free(&bytes);
	buf_free(&left);
}

/* Finishing commits, and may have to abort, which must not harm what others have put. */
static bool waits_for_commit(const struct store *store)
{
	bool waits = store->uncommitted > 0 || meta_is_waiting(store->meta);

	for (size_t i = 0; i < store->days_count; i++)
		waits |= store->days[i]->env.write != NULL;
	return waits;
}

void moves_finish_if_idle(struct store *store)
{
	if (moves_are_left(store) && !waits_for_commit(store))
		moves_finish(store);
}
