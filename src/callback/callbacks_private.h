/* SPDX-License-Identifier: ISC */
/*
 * callbacks_private.h: what callbacks.c, deliver.c and save.c share; private to callback/.
 *
 * In memory a callback is only its state; its URL, body and last error stay in the store. Its states:
 *
 *	SCHEDULED --its time comes--> QUEUED --its host's turn--> SENDING --+--> DONE, removed from the store
 *	    ^                                                               |
 *	    +-------- failed: a later time, or the time of its removal -----+
 *
 * There is a queue per host, so that a host that hangs takes no more than its share of the transfers, and hosts take
 * turns. Outcomes are collected and saved in one transaction a few milliseconds later (save.c).
 */
#ifndef CDRD_CALLBACK_CALLBACKS_PRIVATE_H
#define CDRD_CALLBACK_CALLBACKS_PRIVATE_H

#include <sys/queue.h>

#include "callback/callback.h"
#include "callback/courier.h"
#include "callback/resolve.h"
#include "callback/row.h"
#include "callback/transfer.h"

#define CALLBACK_BUCKETS 1024

enum callback_phase {
	CALLBACK_PHASE_SCHEDULED,
	CALLBACK_PHASE_QUEUED,
	CALLBACK_PHASE_SENDING,
	CALLBACK_PHASE_DONE, /* delivered, or given up long ago */
};

struct delivery;

struct callback {
	TAILQ_ENTRY(callback) all;
	TAILQ_ENTRY(callback) queued; /* in its host's queue */
	TAILQ_ENTRY(callback) unsaved;
	LIST_ENTRY(callback) bucket;     /* by number */
	LIST_ENTRY(callback) test;       /* of tests alone */
	TAILQ_ENTRY(callback) delivered; /* of deliveries alone */
	struct callbacks *callbacks;
	uint64_t number;
	char id[CALLBACK_ID_MAX + 1];
	char account[ACCOUNT_ID_MAX + 1];
	char *host_name;
	enum callback_phase phase;
	bool failed; /* given up; next_us is when it is removed */
	bool is_unsaved;
	bool is_test; /* tried once */
	bool is_delivery;
	bool has_attempted; /* an attempt has ended that is not among attempts.h's yet */
	int64_t since_us;
	int64_t next_us;
	int64_t attempts;
	int64_t begun_us;    /* monotonic, of the attempt in progress */
	int64_t duration_us; /* of the last attempt */
	int64_t last_us;     /* end of the last attempt, since the start */
	long last_status;    /* of HTTP, of that attempt */
	char *last_error;    /* not saved yet, or NULL */
	struct event *timer;
	struct callback_host *host; /* while QUEUED or SENDING */
	struct delivery *delivery;  /* while SENDING, and while an upload that is given up is being aborted */
};

TAILQ_HEAD(callback_list, callback);

/* Exists while callbacks are queued for it or being sent to it. */
struct callback_host {
	LIST_ENTRY(callback_host) bucket;
	TAILQ_ENTRY(callback_host) ready;
	char *name;
	struct callback_list queue;
	size_t queued;
	int64_t sending;
	bool is_ready; /* in the list of hosts whose turn comes */
};

struct callbacks {
	struct event_base *base;
	const struct config *config;
	struct meta *meta;
	struct store *store;
	struct resolver *resolver;
	struct destinations *destinations; /* or NULL */
	struct transfers *transfers;
	struct couriers *couriers;
	struct event *turn; /* starts the next callbacks */
	struct event *save;
	struct event *again; /* reads new rows, after that has failed */
	struct callback_list all;
	struct callback_list unsaved;
	LIST_HEAD(, callback) by_number[CALLBACK_BUCKETS];
	LIST_HEAD(, callback) tests;
	struct callback_list deliveries; /* oldest first */
	LIST_HEAD(, callback_host) hosts[CALLBACK_BUCKETS];
	TAILQ_HEAD(, callback_host) ready;
	uint64_t last_number;            /* of those read from the store */
	bool save_failed;                /* it was logged */
	callbacks_outcome_fn on_outcome; /* or NULL */
	void *on_outcome_arg;
	callbacks_file_fn ask_for_file; /* or NULL: files do not change */
	void *ask_for_file_arg;
	bool held_by_marker; /* see hold.c */
	bool was_held;       /* at the last check */
	struct callbacks_stats stats;
};

struct outcome {
	bool delivered;
	bool refused;
	long status; /* of HTTP; 0 without an answer */
	int64_t retry_after_us;
	const char *problem;
};

/* Begins an attempt; callback_ended is called once, perhaps before this returns. */
void deliver(struct callback *callback);
void deliver_cancel(struct delivery *delivery);
void callback_ended(struct callback *callback, const struct outcome *outcome);

/* Notes that the callback's state must be saved in the store (or, when DONE, removed from it). */
void save_later(struct callback *callback);

/* Durably keeps what an upload in parts needs to be resumed (multipart.h); nothing if `parts` is empty. */
MUST_CHECK int save_parts(const struct callback *callback, struct str parts, struct error *err);

/* Writes what is noted; frees those that are DONE. */
void save_now(struct callbacks *callbacks);

/* Puts it into its host's queue, whenever it is scheduled for. */
void callback_enqueue(struct callback *callback);

/* Checks at start whether the marker of hold.c is there. */
MUST_CHECK int callback_hold_look(struct callbacks *callbacks, struct error *err);

/* Updates *info, which was filled from the row, with the newer state in memory. */
void callback_overlay(struct callback_info *info, const struct callback *callback);

/* Removes it from all lists and frees it. */
void callback_free(struct callback *callback);

#endif
