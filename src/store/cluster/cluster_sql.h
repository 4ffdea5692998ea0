/* SPDX-License-Identifier: ISC */
/*
 * cluster_sql.h: parts of statements that several queries to a cluster have; private to store/cluster/.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_SQL_H
#define CDRD_STORE_CLUSTER_CLUSTER_SQL_H

#include "store/cluster/cluster_private.h"

/* `database`.table */
void cluster_write_table(struct buf *out, const struct cluster *cluster, const struct catalog_product *product);

/* A statement that is followed by rows as cluster_row_write makes them. */
void cluster_write_insert(struct buf *sql, const struct cluster *cluster, const struct catalog_product *product);

/* The settings of such a statement, with & between: it has ended when the quorum has the rows, or fails when a replica has not
 * answered for so long. With `anew`, rows are stored also where the server knows that it had them. */
void cluster_write_insert_settings(struct buf *settings, const struct cluster *cluster, size_t shard, int timeout_ms,
                                   bool anew);

/* ClickHouse's Date has days until 2149, and takes a later one for an earlier one in silence: nothing is stored there, so
 * the query may end before. */
#define CLUSTER_DAY_MAX 65535
void cluster_limit_days(struct scan_query *query);

/* The keys of accounts as numbers, with commas between: those of the query that are in the shard. */
void cluster_write_accounts(struct buf *out, const struct cluster *cluster, const struct scan_query *query,
                            size_t shard);

/* A column that a table has as it is: f_status. */
void cluster_write_value_column(struct buf *sql, const struct catalog_product *product, uint8_t column);

/* A text as SQL has it, after a prefix. */
void cluster_write_text(struct buf *sql, const char *prefix, struct str text);

/* A condition that is true of rows that pass the filter. */
void cluster_write_filter(struct buf *sql, const struct catalog_product *product, const struct scan_filter *filter);

/* Do servers decide on all of the query's filters? */
bool cluster_decides(const struct scan_query *query);

/* A condition that is true of rows that pass the filters on which servers decide: "1" where there are none. It judges as
 * scan_filter_passes does: lower() of ClickHouse, too, knows ASCII letters alone. */
void cluster_write_filters(struct buf *sql, const struct scan_query *query);

#endif
