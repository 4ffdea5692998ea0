/* SPDX-License-Identifier: ISC */
/*
 * query_private.h: a plan while it is being made; private to query/.
 *
 * query.c walks the parameters and knows which may be given where; values.c reads one value into the plan; range.c
 * settles the dates when all are read. Each adds what is wrong to the problems and continues, so that all are found.
 */
#ifndef CDRD_QUERY_QUERY_PRIVATE_H
#define CDRD_QUERY_QUERY_PRIVATE_H

#include "query/query.h"

#define QUERY_MISSING "Missing required parameter"
#define QUERY_KNOWN "Known to the Reports API, but not supported here"
#define QUERY_VALUE_SHOWN 64 /* bytes of a wrong value that a reason repeats */

struct query_making {
	struct query_plan *plan;
	enum query_kind kind;
	const struct query_params *params;
	const struct query_limits *limits;
	int64_t now_us;
	struct query_problems *problems;
	bool dates_wrong;       /* a date was no time: the range cannot be checked */
	int64_t from_offset_us; /* offset from UTC that the dates were written with */
	int64_t to_offset_us;
};

/* At most `max` bytes of UTF-8 text, cut between characters. */
struct str query_clip(struct str text, size_t max);

/* The value of a parameter, p NULL when it was not given. An empty one counts as not given: clients send empty values
 * for what their caller left out. */
struct str query_given(const struct query_params *params, struct str name);

/* Appends to a list shown in a reason: "a, b, c". */
void query_list_add(struct buf *list, struct str item);

/* values.c: each reads `value` into the plan or adds a problem. */
typedef void query_take_fn(struct query_making *making, struct str value);

query_take_fn query_take_account;
query_take_fn query_take_ids;
query_take_fn query_take_date_start;
query_take_fn query_take_date_end;
query_take_fn query_take_include_message;
query_take_fn query_take_show_concatenated;
query_take_fn query_take_include_subaccounts;
query_take_fn query_take_callback_url;
query_take_fn query_take_destination;
query_take_fn query_take_format;
query_take_fn query_take_dialect;
query_take_fn query_take_compression;
query_take_fn query_take_limit;
query_take_fn query_take_cursor;
query_take_fn query_take_iv;
query_take_fn query_take_since;
query_take_fn query_take_wait;

/* grouping.c */
query_take_fn query_take_group_by;
query_take_fn query_take_interval;
query_take_fn query_take_time_zone;

void query_take_filter(struct query_making *making, const struct catalog_filter *filter, struct str value);

/* Adds a problem: the product does not take this parameter. */
void query_refuse_filter(struct query_making *making, struct str name);

/* The index of `value` in `words`, which end with NULL; if it is none of them, adds a problem and returns the first. */
size_t query_take_word(struct query_making *making, struct str name, struct str value, const char *const *words);

/* columns.c: reads `columns`, once the product and the view are known. */
void query_settle_columns(struct query_making *making);

/* range.c: fills in dates that were not given, and checks the range. */
void query_settle_range(struct query_making *making);

#endif
