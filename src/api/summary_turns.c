/* SPDX-License-Identifier: ISC */
/*
 * summary_turns.c: see summary_turns.h.
 */
#include "api/summary_turns.h"

#include <stdlib.h>

#include "base/id.h"

#define ACCOUNT_SLOTS 256 /* accounts in the same slot share their last turn */

TAILQ_HEAD(turn_list, api_summary_turn);

struct api_summary_turns {
	struct turn_list made, waiting;
	size_t made_count;
	uint64_t turn;
	uint64_t last[ACCOUNT_SLOTS]; /* turns of accounts, by a hash; 0: none yet */
};

static uint64_t *last_of(struct api_summary_turns *turns, const char *account)
{
	return &turns->last[id_hash64(account, strlen(account), 0) % ACCOUNT_SLOTS];
}

static size_t count_of(const struct turn_list *list, const char *account)
{
	const struct api_summary_turn *turn;
	size_t count = 0;

	TAILQ_FOREACH(turn, list, entry)
		count += strcmp(turn->account, account) == 0;
	return count;
}

static void begin(struct api_summary_turns *turns, struct api_summary_turn *turn)
{
	turn->state = TURN_HAS;
	TAILQ_INSERT_TAIL(&turns->made, turn, entry);
	turns->made_count++;
	*last_of(turns, turn->account) = ++turns->turn;
}

/* The next of those that wait; NULL if none does. */
static struct api_summary_turn *next_of(struct api_summary_turns *turns)
{
	struct api_summary_turn *turn, *next = NULL;
	size_t least = SIZE_MAX;

	TAILQ_FOREACH(turn, &turns->waiting, entry) {
		size_t made = count_of(&turns->made, turn->account);
		bool sooner = next && made == least && *last_of(turns, turn->account) < *last_of(turns, next->account);

		if (made >= least && !sooner)
			continue;
		next = turn;
		least = made;
	}
	return next;
}

static struct api_summary_turns *turns_get(struct api *app)
{
	struct api_summary_turns *turns = app->summary_turns;

	if (turns)
		return turns;
	turns = calloc(1, sizeof(*turns));
	if (!turns)
		return NULL;
	TAILQ_INIT(&turns->made);
	TAILQ_INIT(&turns->waiting);
	app->summary_turns = turns;
	return turns;
}

enum api_summary_entry api_summary_turn_enter(struct api *app, struct api_summary_turn *turn)
{
	struct api_summary_turns *turns = turns_get(app);

	if (!turns)
		return SUMMARY_REFUSED;
	if (turns->made_count < (size_t)app->config->summaries_max && TAILQ_EMPTY(&turns->waiting)) {
		begin(turns, turn);
		return SUMMARY_STARTS;
	}
	if (count_of(&turns->waiting, turn->account) >= (size_t)app->config->summaries_waiting_max)
		return SUMMARY_REFUSED;
	turn->state = TURN_WAITS;
	TAILQ_INSERT_TAIL(&turns->waiting, turn, entry);
	return SUMMARY_WAITS;
}

void api_summary_turn_leave(struct api *app, struct api_summary_turn *turn)
{
	struct api_summary_turns *turns = app->summary_turns;
	struct api_summary_turn *next;

	if (turn->state == TURN_NONE)
		return;
	TAILQ_REMOVE(turn->state == TURN_HAS ? &turns->made : &turns->waiting, turn, entry);
	turns->made_count -= turn->state == TURN_HAS;
	turn->state = TURN_NONE;
	while (turns->made_count < (size_t)app->config->summaries_max && (next = next_of(turns))) {
		TAILQ_REMOVE(&turns->waiting, next, entry);
		begin(turns, next);
		next->start(next->arg);
	}
	if (turns->made_count > 0 || !TAILQ_EMPTY(&turns->waiting))
		return;
	free(turns);
	app->summary_turns = NULL;
}
