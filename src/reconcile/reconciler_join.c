/* SPDX-License-Identifier: ISC */
/*
 * reconciler_join.c: the two sorted sides beside each other. See reconciler_private.h.
 *
 * Rows of one key are collected from both sides in order of time, until there is a gap that is longer than the tolerance,
 * or a side has PAIRING_ROWS_MAX of them. In that case those that found no pair, but could with what follows, stay for
 * the next lot. So a number with millions of calls costs no more memory than others.
 */
#include "reconcile/reconciler_private.h"

#include "base/clock.h"

#define DEADLINE_EVERY 256 /* rows */

/* The next row of the side. */
static int advance(struct reconciler_side *side, struct error *err)
{
	int result = sorter_next(side->sorter, &side->head, err);

	if (result < 0)
		return -1;
	if (result == 0)
		side->head = NULL;
	else
		side->head_order = match_row_order(side->head);
	return 0;
}

static int begin(struct reconciler *reconciler, struct error *err)
{
	if (reconciler->begun)
		return 0;
	reconciler->begun = true;
	return advance(&reconciler->ours, err) == 0 && advance(&reconciler->theirs, err) == 0 ? 0 : -1;
}

/* The side whose next row comes first, or NULL. */
static struct reconciler_side *first_side(struct reconciler *reconciler)
{
	struct reconciler_side *ours = &reconciler->ours, *theirs = &reconciler->theirs;

	if (!ours->head || !theirs->head)
		return ours->head ? ours : theirs->head ? theirs : NULL;
	return match_order_compare(&ours->head_order, &theirs->head_order) <= 0 ? ours : theirs;
}

static int take(struct reconciler_side *side, struct error *err)
{
	side->offsets[side->count++] = side->packed.len;
	buf_add(&side->packed, side->head, match_row_size(side->head));
	side->joined++;
	if (side->packed.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	return advance(side, err);
}

/* Unpacks what was collected, which does not move any more. */
static void unpack(struct reconciler_side *side)
{
	for (size_t i = 0; i < side->count; i++)
		match_row_unpack(side->packed.data + side->offsets[i], &side->list[i]);
}

static bool follows(int64_t last_us, int64_t time_us, int64_t tolerance_us)
{
	return time_us - last_us <= tolerance_us;
}

/* A side is full: rows of the other that may be pairs of its rows come along, though others of its own come before them. */
static int take_others(struct reconciler *reconciler, const struct reconciler_side *full, struct error *err)
{
	struct reconciler_side *other = full == &reconciler->ours ? &reconciler->theirs : &reconciler->ours;
	struct match_order first = match_row_order(full->packed.data + full->offsets[0]);

	while (other->head && other->count < PAIRING_ROWS_MAX && other->head_order.hash == first.hash &&
	       follows(first.time_us, other->head_order.time_us, reconciler->spec.request->rules.time_tolerance_us))
		if (take(other, err) != 0)
			return -1;
	return 0;
}

/* Collects a lot, in addition to what stayed of the one before. 1; 0 when there is none; -1. *cut: more of it follows. */
static int collect(struct reconciler *reconciler, uint64_t *hash, int64_t *last_us, bool *cut, struct error *err)
{
	int64_t tolerance_us = reconciler->spec.request->rules.time_tolerance_us;
	struct reconciler_side *side = first_side(reconciler);
	bool any = reconciler->ours.count + reconciler->theirs.count > 0;

	if (!side)
		return any;
	if (!any) {
		reconciler->lot_again &= *hash == side->head_order.hash;
		*hash = side->head_order.hash;
		*last_us = side->head_order.time_us;
	}
	*cut = false;
	while (side && side->head_order.hash == *hash && follows(*last_us, side->head_order.time_us, tolerance_us)) {
		*cut = side->count == PAIRING_ROWS_MAX;
		if (*cut)
			return take_others(reconciler, side, err) == 0 ? 1 : -1;
		*last_us = side->head_order.time_us;
		if (take(side, err) != 0)
			return -1;
		side = first_side(reconciler);
	}
	return 1;
}

/* --- what becomes of a row --- */

static struct str note_of(unsigned differences)
{
	static const char *const notes[] = {
		"",       "price",        "duration",        "price,duration",
		"status", "price,status", "duration,status", "price,duration,status",
	};

	return str_from(notes[differences]);
}

static int put_pair(struct reconciler *reconciler, const struct match_row *ours, const struct match_row *theirs,
                    struct error *err)
{
	unsigned differences = pairing_differences(&reconciler->spec.request->rules, ours, theirs);
	enum reconciler_class class = differences == 0 ? RECONCILER_MATCHED : RECONCILER_DIFFERENT;

	for (size_t i = 0; i < 3; i++)
		reconciler->differences[i] += differences >> i & 1;
	reconciler->rows_ours++;
	return class_file_add_pair(&reconciler->files[class], ours, theirs, note_of(differences), err);
}

/* What has no pair in the margin is of another month. */
static int put_ours(struct reconciler *reconciler, const struct match_row *row, struct error *err)
{
	const struct reconcile_request *request = reconciler->spec.request;

	if (row->time_us < request->from_us || row->time_us >= request->to_us)
		return 0;
	reconciler->rows_ours++;
	return class_file_add_pair(&reconciler->files[RECONCILER_ONLY_OURS], row, NULL, STR_LITERAL(""), err);
}

/* `again`: there was a row of the carrier's with this key before. Of ids, it is a duplicate. */
static int put_theirs(struct reconciler *reconciler, const struct match_row *row, bool again, struct error *err)
{
	const struct reconcile_request *request = reconciler->spec.request;
	bool duplicate = request->match == REQUEST_MATCH_ID && again;
	bool outside = row->time_us < request->from_us || row->time_us >= request->to_us;

	reconciler->duplicates += duplicate;
	return class_file_add_pair(&reconciler->files[RECONCILER_ONLY_THEIRS], NULL, row,
	                           duplicate ? STR_LITERAL("duplicate") :
	                           outside   ? STR_LITERAL("another month") :
	                                       STR_LITERAL(""),
	                           err);
}

/* --- a lot --- */

/* Keeps some of a side's rows, marked by stays[]; `packed` is rewritten in place. */
static void keep(struct reconciler_side *side, const bool *stays)
{
	size_t len = 0, count = 0;

	for (size_t i = 0; i < side->count; i++) {
		char *row = side->packed.data + side->offsets[i];
		size_t size = match_row_size(row);

		if (!stays[i])
			continue;
		memmove(side->packed.data + len, row, size);
		side->offsets[count++] = len;
		len += size;
	}
	side->packed.len = len;
	side->count = count;
}

static void drop(struct reconciler_side *side)
{
	side->count = 0;
	buf_clear(&side->packed);
}

/* Marks the rows without a pair that may find one in what follows: the last unpaired ones, no more than half of a side, so
 * that each lot takes new rows. */
static void mark_staying(const struct reconciler *reconciler, const struct reconciler_side *side, const bool *paired,
                         int64_t last_us, bool *stays)
{
	size_t count = 0;

	for (size_t i = side->count; i-- > 0 && count < PAIRING_ROWS_MAX / 2;) {
		stays[i] = !paired[i] &&
		           follows(side->list[i].time_us, last_us, reconciler->spec.request->rules.time_tolerance_us);
		count += stays[i];
	}
}

static bool has_pair(const struct reconciler *reconciler)
{
	for (size_t i = 0; i < reconciler->theirs.count; i++)
		if (reconciler->pairs[i] != PAIRING_NONE)
			return true;
	return false;
}

static int settle(struct reconciler *reconciler, bool cut, int64_t last_us, struct error *err)
{
	struct reconciler_side *ours = &reconciler->ours, *theirs = &reconciler->theirs;
	bool ours_stay[PAIRING_ROWS_MAX] = { false }, theirs_stay[PAIRING_ROWS_MAX] = { false };
	bool theirs_paired[PAIRING_ROWS_MAX] = { false };
	int result = 0;

	for (size_t i = 0; i < theirs->count; i++)
		theirs_paired[i] = reconciler->pairs[i] != PAIRING_NONE;
	if (cut) {
		mark_staying(reconciler, ours, reconciler->ours_paired, last_us, ours_stay);
		mark_staying(reconciler, theirs, theirs_paired, last_us, theirs_stay);
	}
	for (size_t i = 0; i < theirs->count && result == 0; i++) {
		if (theirs_paired[i])
			result = put_pair(reconciler, &ours->list[reconciler->pairs[i]], &theirs->list[i], err);
		else if (!theirs_stay[i])
			result = put_theirs(reconciler, &theirs->list[i],
			                    reconciler->lot_again || i > 0 || has_pair(reconciler), err);
	}
	for (size_t i = 0; i < ours->count && result == 0; i++)
		if (!reconciler->ours_paired[i] && !ours_stay[i])
			result = put_ours(reconciler, &ours->list[i], err);
	if (cut) {
		reconciler->lot_again |= theirs->count > 0 && !theirs_stay[0];
		keep(ours, ours_stay);
		keep(theirs, theirs_stay);
	} else {
		drop(ours);
		drop(theirs);
	}
	return result;
}

/* 1; 0 when there is no lot any more; -1. */
static int begin_lot(struct reconciler *reconciler, struct error *err)
{
	struct reconciler_side *ours = &reconciler->ours, *theirs = &reconciler->theirs;

	reconciler->lot_cut = false;
	int found = collect(reconciler, &reconciler->lot_hash, &reconciler->lot_last_us, &reconciler->lot_cut, err);
	if (found <= 0)
		return found;
	unpack(ours);
	unpack(theirs);
	reconciler->is_pairing = pairing_begin(reconciler->pairing, &reconciler->spec.request->rules, ours->list,
	                                       ours->count, theirs->list, theirs->count, reconciler->pairs);
	return 1;
}

/* All of its pairs are made. */
static int end_lot(struct reconciler *reconciler, struct error *err)
{
	const struct reconciler_side *ours = &reconciler->ours, *theirs = &reconciler->theirs;

	memset(reconciler->ours_paired, 0, ours->count * sizeof(reconciler->ours_paired[0]));
	for (size_t i = 0; i < theirs->count; i++)
		if (reconciler->pairs[i] != PAIRING_NONE)
			reconciler->ours_paired[reconciler->pairs[i]] = true;
	return settle(reconciler, reconciler->lot_cut, reconciler->lot_last_us, err) == 0 ? 1 : -1;
}

/* A lot, or a round of a large one; *rows grows by those that were looked at. As begin_lot. */
static int join_some(struct reconciler *reconciler, size_t *rows, struct error *err)
{
	int found = reconciler->is_pairing ? 1 : begin_lot(reconciler, err);

	if (found <= 0)
		return found;
	*rows += reconciler->ours.count + reconciler->theirs.count;
	if (reconciler->is_pairing)
		reconciler->is_pairing = pairing_round(reconciler->pairing);
	return reconciler->is_pairing ? 1 : end_lot(reconciler, err);
}

int reconciler_join(struct reconciler *reconciler, int64_t deadline_us, struct error *err)
{
	int result = 1;

	if (begin(reconciler, err) != 0)
		return -1;
	do
		for (size_t rows = 0; result == 1 && rows < DEADLINE_EVERY;)
			result = join_some(reconciler, &rows, err);
	while (result == 1 && clock_monotonic_us() < deadline_us);
	return result < 0 ? -1 : result == 0;
}
