/* SPDX-License-Identifier: ISC */
/*
 * reconcile_request.h: what a reconciliation is asked to do, checked; private to reconcile/ but for its struct.
 */
#ifndef CDRD_RECONCILE_REQUEST_H
#define CDRD_RECONCILE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "query/query.h"
#include "reconcile/pairing.h"
#include "record/ingest_settings.h"
#include "report/archive.h"

#define REQUEST_FILE_NAME_MAX 128

/* By what rows are joined. */
enum request_match {
	REQUEST_MATCH_ID,
	REQUEST_MATCH_NUMBER,  /* the number called or sent to, and the time */
	REQUEST_MATCH_NUMBERS, /* both numbers, and the time */
};

struct reconcile_request {
	const struct catalog_product *product;
	char account[ACCOUNT_ID_MAX + 1]; /* empty: all of them */
	bool include_subaccounts;
	int64_t from_us; /* the month */
	int64_t to_us;
	struct ingest_settings settings;  /* the mapping, and the time zone of the month and of times without one */
	enum catalog_direction direction; /* CATALOG_NO_DIRECTION: either */
	enum request_match match;
	struct pairing_rules rules;
	enum archive_kind compression;
	char file_name[REQUEST_FILE_NAME_MAX + 1]; /* of the carrier's file, for people; may be empty */
};

/*
 * Reads the parameters and lists all that is wrong with them: true if nothing is. `all_accounts`: there need not be an
 * account_id. Whether account and mapping exist is the caller's business.
 */
bool reconcile_request_read(const struct query_params *params, bool all_accounts, struct reconcile_request *request,
                            struct query_problems *problems);

/* The columns of a product that rows are made of; CATALOG_NONE where it has none. */
struct request_columns {
	uint8_t id, account, from, to, country, duration, status, price, currency;
};
void request_columns_find(const struct catalog_product *product, struct request_columns *columns);

#endif
