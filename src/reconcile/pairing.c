/* SPDX-License-Identifier: ISC */
/*
 * pairing.c: see pairing.h.
 *
 * In rounds: for each row of the carrier's that has no pair yet, the nearest rows of ours that have none are its
 * candidates; of all candidates, the nearest become pairs first. So a row never loses its own to one that is further
 * away, as it would if each took the nearest in turn.
 */
#include "reconcile/pairing.h"

#include <stdlib.h>

static decimal_units apart(decimal_units a, decimal_units b)
{
	return a < b ? b - a : a - b;
}

/* The rows' durations, which agree if one has none. */
static bool durations_agree(const struct pairing_rules *rules, const struct match_row *ours,
                            const struct match_row *theirs, decimal_units *difference)
{
	struct decimal a, b;

	*difference = 0;
	if (theirs->texts[MATCH_DURATION].len == 0 || !decimal_read_stored(ours->texts[MATCH_DURATION], &a) ||
	    !decimal_read_stored(theirs->texts[MATCH_DURATION], &b))
		return true;
	*difference = apart(a.units, b.units);
	return *difference <= rules->duration_tolerance.units;
}

static int64_t times_apart(const struct match_row *ours, const struct match_row *theirs)
{
	return ours->time_us < theirs->time_us ? theirs->time_us - ours->time_us : ours->time_us - theirs->time_us;
}

static int compare_candidates(const void *left, const void *right)
{
	const struct pairing_candidate *a = left, *b = right;

	if (a->far != b->far)
		return a->far ? 1 : -1;
	if (a->apart_us != b->apart_us)
		return a->apart_us < b->apart_us ? -1 : 1;
	if (a->duration_apart != b->duration_apart)
		return a->duration_apart < b->duration_apart ? -1 : 1;
	if (a->theirs != b->theirs)
		return a->theirs < b->theirs ? -1 : 1;
	return a->ours < b->ours ? -1 : a->ours > b->ours;
}

/* One round's view: rows without a pair, by their indexes. */
struct round {
	struct pairing *pairing;
	const struct pairing_rules *rules;
	const struct match_row *ours, *theirs;
	size_t ours_count, theirs_count;
	size_t candidates_count;
};

static const struct match_row *our_row(const struct round *round, size_t at)
{
	return &round->ours[round->pairing->ours[at]];
}

static bool add_candidate(struct round *round, size_t at, size_t their_index)
{
	struct pairing *pairing = round->pairing;
	const struct match_row *ours = our_row(round, at), *theirs = &round->theirs[their_index];
	struct pairing_candidate candidate = { .apart_us = times_apart(ours, theirs) };

	if (candidate.apart_us > round->rules->time_tolerance_us)
		return false;
	if (!match_row_same_key(ours, theirs))
		return true;
	candidate.far = !durations_agree(round->rules, ours, theirs, &candidate.duration_apart);
	candidate.ours = pairing->ours[at];
	candidate.theirs = (uint16_t)their_index;
	pairing->candidates[round->candidates_count++] = candidate;
	return true;
}

/* The nearest of ours on either side of `from`, of which `from` is the first on the right. */
static void find_candidates(struct round *round, size_t from, size_t their_index)
{
	const struct match_row *theirs = &round->theirs[their_index];
	size_t left = from, right = from;

	for (int i = 0; i < PAIRING_NEAREST && (left > 0 || right < round->ours_count); i++) {
		bool take_left =
			right == round->ours_count || (left > 0 && times_apart(our_row(round, left - 1), theirs) <
		                                                           times_apart(our_row(round, right), theirs));
		size_t at = take_left ? --left : right++;

		if (!add_candidate(round, at, their_index))
			return; /* all others are further away */
	}
}

static bool is_near(const struct round *round, size_t at, size_t their_index)
{
	return at < round->ours_count &&
	       times_apart(our_row(round, at), &round->theirs[their_index]) <= round->rules->time_tolerance_us;
}

/*
 * Rows of the carrier's with the same time begin to look at different rows of ours, so that a burst of equal rows finds
 * its pairs in one round: each further one begins a row further on, or, where there is none near enough, before.
 */
static size_t begin_at(const struct round *round, size_t lower, size_t rank, size_t their_index)
{
	if (is_near(round, lower + rank, their_index))
		return lower + rank;
	return rank < lower && is_near(round, lower - rank - 1, their_index) ? lower - rank : lower;
}

static void find_all(struct round *round)
{
	size_t lower = 0, rank = 0;

	for (size_t i = 0; i < round->theirs_count; i++) {
		size_t index = round->pairing->theirs[i];
		int64_t time_us = round->theirs[index].time_us;
		bool again = i > 0 && round->theirs[round->pairing->theirs[i - 1]].time_us == time_us;

		rank = again ? rank + 1 : 0;
		while (lower < round->ours_count && our_row(round, lower)->time_us < time_us)
			lower++;
		find_candidates(round, begin_at(round, lower, rank, index), index);
	}
}

/* Collects those of both sides without a pair. */
static void collect(struct round *round, size_t ours_count, size_t theirs_count, const int *pairs)
{
	struct pairing *pairing = round->pairing;

	round->ours_count = round->theirs_count = round->candidates_count = 0;
	for (size_t i = 0; i < ours_count; i++)
		if (!pairing->ours_taken[i])
			pairing->ours[round->ours_count++] = (uint16_t)i;
	for (size_t i = 0; i < theirs_count; i++)
		if (pairs[i] == PAIRING_NONE)
			pairing->theirs[round->theirs_count++] = (uint16_t)i;
}

/* True if there was a pair. */
static bool run_round(struct round *round, int *pairs)
{
	struct pairing *pairing = round->pairing;
	bool any = false;

	find_all(round);
	if (round->candidates_count > 1)
		qsort(pairing->candidates, round->candidates_count, sizeof(pairing->candidates[0]), compare_candidates);
	for (size_t i = 0; i < round->candidates_count; i++) {
		const struct pairing_candidate *candidate = &pairing->candidates[i];

		if (pairing->ours_taken[candidate->ours] || pairs[candidate->theirs] != PAIRING_NONE)
			continue;
		pairing->ours_taken[candidate->ours] = any = true;
		pairs[candidate->theirs] = candidate->ours;
	}
	return any;
}

bool pairing_begin(struct pairing *pairing, const struct pairing_rules *rules, const struct match_row *ours,
                   size_t ours_count, const struct match_row *theirs, size_t theirs_count, int *pairs)
{
	pairing->lot = (struct pairing_lot){ rules, ours, theirs, ours_count, theirs_count, pairs };
	for (size_t i = 0; i < theirs_count; i++)
		pairs[i] = PAIRING_NONE;
	memset(pairing->ours_taken, 0, ours_count * sizeof(pairing->ours_taken[0]));
	if (ours_count == 1 && theirs_count == 1) { /* nearly always */
		if (match_row_same_key(ours, theirs) && times_apart(ours, theirs) <= rules->time_tolerance_us)
			pairs[0] = 0;
		return false;
	}
	return ours_count > 0 && theirs_count > 0;
}

bool pairing_round(struct pairing *pairing)
{
	const struct pairing_lot *lot = &pairing->lot;
	struct round round = { .pairing = pairing, .rules = lot->rules, .ours = lot->ours, .theirs = lot->theirs };

	collect(&round, lot->ours_count, lot->theirs_count, lot->pairs);
	return round.ours_count > 0 && round.theirs_count > 0 && run_round(&round, lot->pairs);
}

/* --- differences --- */

static bool prices_differ(const struct pairing_rules *rules, const struct match_row *ours,
                          const struct match_row *theirs)
{
	struct str currency = theirs->texts[MATCH_CURRENCY];
	struct decimal a, b;

	if (theirs->texts[MATCH_PRICE].len == 0)
		return false;
	if (currency.len > 0 && !str_equal(currency, ours->texts[MATCH_CURRENCY]))
		return true;
	if (!decimal_read_stored(ours->texts[MATCH_PRICE], &a) || !decimal_read_stored(theirs->texts[MATCH_PRICE], &b))
		return true;
	return apart(a.units, b.units) > rules->price_tolerance.units;
}

/* One that is missing on our side alone differs, too. */
static bool durations_differ(const struct pairing_rules *rules, const struct match_row *ours,
                             const struct match_row *theirs)
{
	decimal_units difference;

	if (theirs->texts[MATCH_DURATION].len == 0)
		return false;
	return ours->texts[MATCH_DURATION].len == 0 || !durations_agree(rules, ours, theirs, &difference);
}

static bool statuses_differ(const struct match_row *ours, const struct match_row *theirs)
{
	struct str status = theirs->texts[MATCH_STATUS];

	return status.len > 0 && !str_equal_nocase(status, ours->texts[MATCH_STATUS]);
}

unsigned pairing_differences(const struct pairing_rules *rules, const struct match_row *ours,
                             const struct match_row *theirs)
{
	unsigned found = 0;

	if (rules->compared & PAIRING_PRICE && prices_differ(rules, ours, theirs))
		found |= PAIRING_PRICE;
	if (rules->compared & PAIRING_DURATION && durations_differ(rules, ours, theirs))
		found |= PAIRING_DURATION;
	if (rules->compared & PAIRING_STATUS && statuses_differ(ours, theirs))
		found |= PAIRING_STATUS;
	return found;
}
