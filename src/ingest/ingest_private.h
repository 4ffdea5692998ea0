/* SPDX-License-Identifier: ISC */
/*
 * ingest_private.h: what the files of ingest/ share; private to it.
 *
 * A batch is in one of four queues. It is *feeding* until its body has ended, then *waiting* for the commit that
 * decides about its last records, *deciding* during that commit, then *settled* until the next turn of the loop calls
 * its `done`. Callbacks run only from the commit event, so that none has a parser or another callback below it on the
 * stack.
 *
 * Puts and commits end by a callback. The engine of days calls it within the call, and nothing is deciding between
 * turns; one that commits over a socket calls it later, and records are put meanwhile. What is rejected is *held* until
 * its commit has stored the records, as any other change of the catalog would commit it before.
 *
 * A *round* is what one commit decides about. Every record sets its batch's round, even a duplicate, whose original may
 * be in the same round: when the commit fails, all batches of the round fail.
 */
#ifndef CDRD_INGEST_INGEST_PRIVATE_H
#define CDRD_INGEST_INGEST_PRIVATE_H

#include <sys/queue.h>

#include "base/task.h"
#include "ingest/check.h"
#include "ingest/errors.h"
#include "ingest/ingest.h"
#include "ingest/repeats.h"
#include "mapping/mapping.h"
#include "meta/meta.h"
#include "meta/quarantine.h"
#include "record/encoding.h"

TAILQ_HEAD(ingest_queue, ingest_batch);

/* Rejected records that are held (held.c): in the order they came, and, over all, by their prints. */
struct ingest_held;
STAILQ_HEAD(ingest_helds, ingest_held);
LIST_HEAD(ingest_held_slot, ingest_held);
#define INGEST_HELD_SLOTS 16384 /* a power of 2; few entries each, of as many as may be held */

/* A record on its way into the store. */
struct ingest_put {
	LIST_ENTRY(ingest_put) link; /* once it is late */
	struct ingest *ingest;
	struct ingest_batch *batch; /* NULL: it was abandoned */
	const struct catalog_product *product;
	uint64_t losses; /* ingest_losses before it */
	uint64_t round;
	bool ended;
	bool failed; /* *err says why */
	enum store_put_result result;
	struct error *err;

	/* puts that the store ends after the call: the item is copied, except its record, which is put already, but for its
	 * account */
	bool is_late;
	struct parse_item item;
	struct str account; /* of the record */
	struct buf text;    /* of the item and the account */
};

/* A commit in progress, of the round before the open one. */
struct ingest_commit {
	bool under_way;
	bool is_late; /* its call has returned */
	bool again;   /* another one was requested meanwhile */
	uint64_t round;
	size_t records;
	struct ingest_summary pending;
	struct ingest_helds held;
	int64_t begin_us;
	struct error *err; /* gets the reason if it fails; or NULL */
	int result;
};

struct ingest {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct store *store;
	const struct disk *disk;   /* NULL: not checked */
	struct mappings *mappings; /* NULL: there are none */
	struct event *commit_event;
	struct event *expiry_event;
	struct task maintenance;
	bool maintenance_is_dirty; /* its last slice has written */
	struct ingest_queue feeding, waiting, deciding, settled;
	struct check check;
	uint64_t round;
	size_t round_records;                                  /* put since the last commit, into days or quarantine */
	size_t round_bytes;                                    /* of bodies fed since, and of what is held of them */
	struct ingest_summary pending;                         /* of this round; added to stats once on disk */
	struct ingest_helds held;                              /* of this round */
	size_t held_bytes;                                     /* of these and of the commit's, */
	struct ingest_held_slot held_slots[INGEST_HELD_SLOTS]; /* by the low bits of their prints */
	struct ingest_commit commit;
	struct ingest_put *put;       /* the current one; NULL: to be made */
	LIST_HEAD(, ingest_put) late; /* that the store has not ended yet */
	struct ingest_stats stats;
	struct heavy_hitters accounts;
	struct ingest_watch *watches;

	struct buf text;          /* of the current piece, converted to UTF-8 */
	struct buf raw, header;   /* of a rejected record, in the encoding they were sent in */
	struct buf reason;        /* of it, all faults */
	uint64_t unkept;          /* rejected records not kept since the last warning */
	int64_t unkept_warned_us; /* on the monotonic clock; 0 for never */
};

struct ingest_batch {
	TAILQ_ENTRY(ingest_batch) link;
	struct ingest_queue *queue; /* the one it is in */
	struct ingest *ingest;
	enum parse_format format;
	struct parser *parser;         /* or, of mapped rows, */
	struct mapping_reader *mapped; /* this */
	char *producer;                /* NULL: rejected records are not kept */
	char *product_name;            /* of records that name none, or NULL */
	struct ingest_settings settings;
	struct ingest_settings effective; /* with what the mapping says where they say nothing */
	struct encoding *encoding; /* of settings.encoding; NULL: UTF-8. Of such a body that is read from a place on, */
	uint64_t encoded_fed;      /* bytes before conversion, */
	struct parse_position encoded;  /* and the place among them */
	struct store_versions versions; /* of records of versions_product */
	const struct catalog_product *versions_product;
	ingest_done_fn done;
	void (*room)(void *arg); /* NULL: it does not wait for any */
	void *arg;
	uint64_t round;          /* of its newest record */
	size_t held_count;       /* of its rejected records, those that are held */
	bool holds;              /* its records begin no commit, and it comes again if it is given up */
	bool may_repeat;         /* what is rejected of it may be in quarantine already, */
	struct repeats *repeats; /* as far as these tell; NULL: not loaded */
	struct ingest_summary summary;
	struct ingest_summary deciding;  /* what will be on disk if the current commit succeeds */
	struct ingest_summary committed; /* what is on disk */
	struct errors errors;
	/* Both ERROR_NONE while all is well; else it takes no more records. */
	struct error failure;          /* what was put since the last commit is lost */
	struct error stop;             /* the body ends here; what was put stays */
	struct parse_position stopped; /* where */
};

/* --- ingest.c --- */

void ingest_batch_move(struct ingest_batch *batch, struct ingest_queue *to);

/* Is this a round that the commit under way decides about? */
static inline bool ingest_is_deciding(const struct ingest *ingest, uint64_t round)
{
	return ingest->commit.under_way && round <= ingest->commit.round;
}

/* The round is lost: its batches fail with *err. */
void ingest_fail_round(struct ingest *ingest, const struct error *err);

/* Commits now if the round has grown to its limit; waiting batches are answered in the next turn of the loop. */
void ingest_commit_if_large(struct ingest *ingest);

/* Schedules a commit after commit_delay. */
void ingest_commit_soon(struct ingest *ingest);

/* --- batch.c --- */

/* What the settings leave open, the mapping says. */
void ingest_take_mapping(struct ingest_settings *settings, const struct mapping *mapping);

/* Calls done, and frees the batch; it is out of its queue already. */
void ingest_batch_answer(struct ingest_batch *batch);

/* Does nothing on NULL. No put of it may be in progress (ingest_leave_puts). */
void ingest_batch_free(struct ingest_batch *batch);

/* --- batch_record.c --- */

/* A parse_item_fn, whose `arg` is the batch: a record of it, or what is wrong with one. Nothing if the batch has failed. */
void ingest_take_item(void *batch, const struct parse_item *item);

/* The batch has failed; and its round, if more than it was lost since ingest_losses gave `losses`. */
void ingest_fail_batch(struct ingest_batch *batch, uint64_t losses, const struct error *err);

/* The batch goes: its puts that the store has not ended yet will count for nobody. */
void ingest_leave_puts(struct ingest_batch *batch);

/* Frees all puts; the store must not end them any more. */
void ingest_puts_free(struct ingest *ingest);

/* --- held.c --- */

/* Holds a rejected record, of which all is copied, until the commit of the round. ERROR_UNAVAILABLE: too much is held. */
MUST_CHECK int ingest_hold(struct ingest_batch *batch, uint64_t round, const struct quarantine_entry *entry,
                           struct error *err);

/* Is one of this print held? As repeats_has. */
bool ingest_holds(const struct ingest *ingest, const struct repeats_print *print);

/* Puts what the commit holds into quarantine, to last with the next meta_commit; on -1 all that waits for it is lost. */
MUST_CHECK int ingest_put_held(struct ingest *ingest, struct error *err);

/* Drops all of a list. */
void ingest_drop_held(struct ingest *ingest, struct ingest_helds *held);

/* Batches have failed: drops all that is held of them, which their senders will send again. */
void ingest_drop_held_of_failed(struct ingest *ingest);

/* A batch goes: what is held of it is dropped if it comes again, and otherwise nobody's. */
void ingest_leave_held(struct ingest_batch *batch);

/* --- maintenance.c --- */

/* Begins the store's background work, a slice at a time. */
void ingest_maintenance_begin(struct ingest *ingest);
/* A commit has failed: what sealing would write again would fail as well, and take records with it. */
void ingest_maintenance_rest(struct ingest *ingest);
void ingest_on_maintenance(void *arg, int64_t deadline_us);

/* --- reject.c --- */

/* Puts a rejected record of a round into quarantine with all its faults, if there is room. 0, or -1, with the round lost if
 * ingest_losses says so. */
MUST_CHECK int ingest_quarantine(struct ingest_batch *batch, uint64_t round, const struct parse_item *item,
                                 const struct parse_fault *faults, size_t faults_count, struct error *err);

/* Drops what is too old or too much, a slice at a time; begins the first and every next by itself. */
void ingest_expiry_begin(struct ingest *ingest);
void ingest_on_expiry(evutil_socket_t fd, short what, void *arg);

#endif
