/* SPDX-License-Identifier: ISC */
/*
 * summary_turns.h: whose summary is made next; private to api/.
 *
 * At most summaries_max are made at once. The others wait, up to summaries_waiting_max of an account. When one ends,
 * the account with the fewest in progress comes next; among equals, the one whose turn was longest ago; within an
 * account, the summary that came first.
 */
#ifndef CDRD_API_SUMMARY_TURNS_H
#define CDRD_API_SUMMARY_TURNS_H

#include <sys/queue.h>

#include "api/routes.h"

/* A summary's entry among those in progress or waiting; zeroed at first. */
struct api_summary_turn {
	TAILQ_ENTRY(api_summary_turn) entry;
	enum { TURN_NONE, TURN_WAITS, TURN_HAS } state;
	const char *account; /* who asked; lives as long as the turn */
	void (*start)(void *arg);
	void *arg;
};

enum api_summary_entry { SUMMARY_STARTS, SUMMARY_WAITS, SUMMARY_REFUSED };

/*
 * Takes a turn, if there is one, or a place in the queue: start(arg) is then called later, from another's
 * api_summary_turn_leave. Refused when too many of the account wait, or out of memory.
 */
enum api_summary_entry api_summary_turn_enter(struct api *app, struct api_summary_turn *turn);

/* Gives back the turn or the place in the queue. Does nothing without either. */
void api_summary_turn_leave(struct api *app, struct api_summary_turn *turn);

#endif
