/* SPDX-License-Identifier: ISC */
/*
 * summary.h: one GET /v2/reports/summary on its way; private to api/.
 *
 *	summary.c         checks the request, reads in slices
 *	summary_turns.c   whose turn it is
 *	summary_groups.c  the groups: keys, counts, sums
 *	summary_answer.c  the JSON
 */
#ifndef CDRD_API_SUMMARY_H
#define CDRD_API_SUMMARY_H

#include "base/id.h"
#include "api/routes.h"
#include "api/summary_turns.h"
#include "api/work.h"
#include "store/sums.h"

/* Of a group's records of one currency. */
struct summary_amount {
	uint32_t next; /* index + 1; 0 ends the list */
	uint32_t currency_len;
	size_t currency_at; /* in the groups' texts */
	uint64_t count;
	struct decimal total_price;
	struct decimal price;
};

struct summary_group {
	uint64_t hash;
	size_t key_at; /* in the groups' texts: for each column u32 length, bytes */
	uint32_t key_len;
	uint32_t amounts; /* index + 1 */
	int64_t start_us; /* of its interval; INT64_MIN without one */
	uint64_t count;
	uint64_t unreadable; /* records with a price or duration that is no number, and is in no sum */
	struct decimal duration;
};

struct summary_groups {
	/* what there is to be grouped and summed; places of columns, or CATALOG_NONE */
	const uint8_t *columns;
	size_t columns_count;
	uint8_t currency, total_price, price, duration;
	size_t max; /* groups */

	size_t count;
	struct buf groups;  /* struct summary_group each */
	struct buf amounts; /* struct summary_amount each */
	struct buf texts;
	struct buf key;     /* of the record at hand */
	uint32_t *slots;    /* index + 1, by hash; as many as slots_count, a power of two */
	size_t slots_count;
	uint32_t last;      /* index + 1 of the group that was used last */
};

/* `columns` must outlive the groups. */
void summary_groups_init(struct summary_groups *groups, const struct catalog_product *product, const uint8_t *columns,
                         size_t columns_count, size_t max);
void summary_groups_free(struct summary_groups *groups);

/* The columns that summary_add_record reads, as of scan_query; never 0. */
uint64_t summary_groups_columns(const struct summary_groups *groups, const struct catalog_product *product);

/* Both: ERROR_NOT_FOUND when there would be more groups than `max`; ERROR_LIMIT when a sum would be too large. */
int summary_add_record(struct summary_groups *groups, int64_t start_us, const struct record *record,
                       struct error *err);
int summary_add_span(struct summary_groups *groups, int64_t start_us, const struct scan_span *span,
                     struct error *err);

/* Empties them, and keeps memory. */
void summary_groups_clear(struct summary_groups *groups);

/* Adds others' groups to those of the same start, where neither has columns. */
int summary_add_groups(struct summary_groups *sum, const struct summary_groups *more, struct error *err);

/* Adds a group of others to the one of an interval, where `sum` has no columns. */
int summary_add_group(struct summary_groups *sum, int64_t start_us, const struct summary_groups *more,
                      const struct summary_group *group, struct error *err);

/* In order of start, then of values; amounts by currency. Indices of summary_group_at then follow that order. */
void summary_groups_sort(struct summary_groups *groups);

static inline struct summary_group *summary_group_at(const struct summary_groups *groups, size_t index)
{
	return (struct summary_group *)(void *)groups->groups.data + index;
}

static inline struct summary_amount *summary_amount_at(const struct summary_groups *groups, size_t index)
{
	return (struct summary_amount *)(void *)groups->amounts.data + index;
}

static inline struct str summary_currency(const struct summary_groups *groups, const struct summary_amount *amount)
{
	return (struct str){ groups->texts.data + amount->currency_at, amount->currency_len };
}

/* Takes the next value off a key, which shrinks. */
struct str summary_key_next(struct str *key);

/* --- the request --- */

struct http_summary {
	struct http_request *request;
	struct http_app *app;
	struct http_work work;
	struct http_summary_turn turn;
	bool begun;          /* its turn has come */
	struct query_params params;
	struct query_plan plan; /* borrows from params */
	char request_id[ID_UUID_LEN + 1];
	int64_t received_us;
	struct buf accounts;
	struct scan_query query;
	int32_t day;       /* the part at hand: a day, an account of the query, its direction */
	uint32_t account;
	struct sums sums;  /* where adding up its blocks stands */
	int changed;       /* times that it was begun anew, because they changed */
	struct scan *scan; /* of the part, when it is scanned; or NULL */
	struct zone zone;
	int64_t interval_us;       /* where the interval at hand begins */
	int64_t interval_from_us;  /* moments from here on, and before the next one, fall in it */
	int64_t interval_until_us;
	struct summary_groups groups;
	struct summary_groups part; /* of the part at hand, while blocks are added up */
	struct summary_groups *adding; /* one of the two */
	struct error failure; /* of adding */
};

/* Answers with the complete summary, after which the request is dead. -1, without having answered, on failure. */
int http_summary_answer(struct http_summary *summary, struct error *err);

#endif
