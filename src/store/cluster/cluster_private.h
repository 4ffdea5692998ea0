/* SPDX-License-Identifier: ISC */
/*
 * cluster_private.h: the engine that keeps records in a ClickHouse cluster (clickhouse/schema.h has the tables); private
 * to store/cluster/.
 *
 * It is the engine of days with something beside it: what the daemon writes itself (REPORTS-USAGE) stays in days, as it
 * must be found and written at once, and so do sequence numbers, which both share. All else goes to the cluster.
 *
 *	put      gathered, until a commit begins
 *	commit   numbers for its changes are had (cluster_numbers.c), and its records' ids are locked; they are looked up by the
 *	         hashes of their ids, in one query for each table, compared with what is stored, and made rows; the rows are
 *	         inserted, a table after the other; when the numbers have settled, the commit has ended
 *
 * Only one commit is under way at a time, and what is put meanwhile is gathered. So a lookup need not know of
 * rows that are on their way, and what it does know of rows that wait to be inserted is in `known`.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_PRIVATE_H
#define CDRD_STORE_CLUSTER_CLUSTER_PRIVATE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "base/id.h"
#include "clickhouse/client.h"
#include "clickhouse/schema.h"
#include "store/blocks/lines.h"
#include "store/days_store.h"
#include "store/cluster/cluster_eraser.h"
#include "store/cluster.h"
#include "store/cluster/spans.h"

#define CLUSTER_GATHERED_MAX 50000            /* records that are looked up in one go */
#define CLUSTER_FULL_BYTES ((size_t)96 << 20) /* of all that waits; more is refused */
#define CLUSTER_CHUNK_ROWS 50000              /* of one insert */
#define CLUSTER_CHUNK_BYTES ((size_t)24 << 20)
#define CLUSTER_CHUNK_DAYS 64

/* A row of a table, but for what is only searched by. The texts die with the buffer that was read. */
struct cluster_row {
	uint64_t account;
	uint8_t direction;
	int32_t day;
	int64_t time_us;
	struct str id;
	uint64_t version;
	bool is_dead;
	uint64_t first;
	struct str past; /* numbers of 8 bytes, little-endian, in pairs */
	struct str line, rest, body;
};

#define CLUSTER_PAST_NUMBERS 32 /* the newest; how often a record comes back to a place while somebody reads is less */

/* The columns in which cluster_row_read expects rows. */
#define CLUSTER_KEY_COLUMNS "account, direction, day, time, id" /* by which rows are ordered */
#define CLUSTER_ROW_COLUMNS CLUSTER_KEY_COLUMNS ", version, dead, first, past, line, rest, body"

/* --- cluster_row.c --- */

static inline uint64_t cluster_account(const struct account_key *key)
{
	uint64_t number;

	memcpy(&number, key->bytes, sizeof(number));
	return be64toh(number);
}

/* Appends a row of the table, in RowBinary. The record is complete. */
void cluster_row_write(struct buf *out, const struct record *record, const struct cluster_row *row,
                       struct buf *scratch);

/* Take a little-endian number of so many bytes, or a text after its length, off the front of *text; false if it ends
 * before. */
bool cluster_take_number(struct str *text, size_t bytes, uint64_t *number);
bool cluster_take_text(struct str *text, struct str *value);

/* Takes a row off the front of *text; false if there is none that is whole. */
bool cluster_row_read(struct str *text, struct cluster_row *row);

/* Does a snapshot have the record at the row's place, of which it is the newest row? A record that has left a place after
 * the snapshot is shown there. `first` becomes the number of the change that put it there for that snapshot. */
bool cluster_row_is_shown(struct cluster_row *row, uint64_t snapshot);

bool cluster_row_is_same_key(const struct cluster_row *a, const struct cluster_row *b);

/* Fills a record from a row's texts; its values are in them, or in `arena`, which is emptied first. */
#define CLUSTER_PARTS 3 /* the texts of a row */
struct cluster_reader {
	struct lines lines;
	struct buf arena;
	const struct catalog_product *product; /* that `columns` is of */
	uint8_t direction;
	uint8_t columns[CLUSTER_PARTS][CATALOG_COLUMNS_MAX]; /* of each text, */
	uint8_t columns_count[CLUSTER_PARTS];                /* so many */
};
MUST_CHECK int cluster_row_record(struct cluster_reader *reader, const struct cluster_row *row,
                                  const struct catalog_product *product, struct record *record, struct error *err);
void cluster_reader_free(struct cluster_reader *reader);

/* Is one of the columns, of which bit n is column n, in the text `rest`, or in `body`? */
bool cluster_reads_rest(const struct catalog_product *product, enum catalog_direction direction, uint64_t columns,
                        bool of_body);

/* --- a record that was put, or is stored --- */

struct cluster_put {
	TAILQ_ENTRY(cluster_put) link;
	const struct catalog_product *product;
	struct account_key account;
	uint64_t hash; /* of its id */
	int64_t time_us;
	struct store_versions versions;
	bool has_versions;
	bool is_erasure;                     /* what is known of the record is put anew, */
	const struct cluster_eraser *eraser; /* without this number; NULL: nobody waits for that any more */
	bool was_left;                       /* of an erasure: the record has left this time and direction, */
	enum catalog_direction direction;    /* and that is put anew */
	bool is_mending;                     /* of the record at this time and direction: what is half a move of it */
	int64_t goes_us;                     /* the time that its row says */
	store_put_fn done;
	void *arg;
	size_t len;
	char row[]; /* as record_pack writes it */
};
TAILQ_HEAD(cluster_puts, cluster_put);

/* What is known of a record: as it is stored, or will be; or of a place that one has left. */
struct cluster_known {
	struct cluster_known *next; /* of those with this hash */
	const struct catalog_product *product;
	struct account_key account;
	uint64_t hash;
	int64_t time_us;
	enum catalog_direction direction;
	uint64_t first, version;
	bool has_left;               /* the record has left the place with `version` */
	struct buf past;             /* as of cluster_row */
	struct cluster_chunk *chunk; /* that its newest row is in; or NULL */
	size_t len;
	char *row; /* packed */
};

/* Rows of one insert. */
struct cluster_chunk {
	TAILQ_ENTRY(cluster_chunk) link;
	const struct catalog_product *product;
	size_t shard;
	struct buf rows;
	size_t count, keys; /* rows, and different keys among them */
	uint64_t first_version, last_version;
	int32_t days[CLUSTER_CHUNK_DAYS];
	size_t days_count;
};
TAILQ_HEAD(cluster_chunks, cluster_chunk);

/* An insert with a row of that day, in no list yet; NULL when out of memory. */
struct cluster_chunk *cluster_chunk_new(const struct catalog_product *product, size_t shard, int32_t day);

/* Is the day among the `count` ones of an insert? It is added if there are fewer than `max`; a server takes rows of so many
 * partitions at once. */
bool cluster_take_day(int32_t *days, size_t *count, size_t max, int32_t day);

/* In `meta`: this data directory has given numbers to the rows of the cluster; and its days, if it has any, are beside a
 * cluster. */
#define CLUSTER_NUMBERS_ARE_OURS "cluster_numbers"
#define CLUSTER_DAYS_ARE_OURS "cluster_days"

#define CLUSTER_SLOTS 65536
#define CLUSTER_DOUBTED_AT_START 4000000 /* more than the numbers of all that may be under way at once */

/* --- the numbers of a commit's changes: spans.h --- */

/* What of a commit of another front end is not heard of for so many times as long as a query may take is given up. That one
 * begins no insert in the last of them. */
#define CLUSTER_OPEN_PATIENCES 3

enum cluster_numbers_state {
	CLUSTER_NUMBERS_NONE,
	CLUSTER_NUMBERS_ASKED,
	CLUSTER_NUMBERS_GIVEN,
	CLUSTER_NUMBERS_STORED, /* all of it is; it waits for those before it */
	CLUSTER_NUMBERS_SETTLED,
};

/* The transaction of the copy with which the first of a commit was checked, and the first that was rejected; 0: nothing was yet. */
struct cluster_checks {
	uint64_t first, rejected;
};

struct cluster_numbers {
	const struct store_numbers_source *source; /* or NULL: this front end holds the catalog, and has the list */
	struct spans spans;
	TAILQ_HEAD(, store_span) lent; /* to others */
	uint64_t
		catalog_least; /* what others put must have been checked with this transaction of the catalog, or a later one */

	/* of the commit under way here */
	enum cluster_numbers_state state;
	struct span own;
	struct store_asked *asked; /* of the source; NULL */
	uint64_t *hashes;
	uint64_t first, next, to;
	struct cluster_checks checks, checks_next; /* of it, and of what is checked meanwhile */
	int64_t given_up_us;                       /* monotonic: from then on the numbers may be given up */
	struct error failure; /* why there are none, or why it is not known whether they have settled */
	struct store_changed changed;
};

/* A point in the order of what is put and stored. */
struct cluster_point {
	uint64_t commits; /* cluster->commits when all is committed that had been put */
	uint64_t numbers; /* the last one that had been given */
};

/* cluster_mend.c */
struct cluster_mend {
	int64_t due_us, until_us;   /* monotonic: of the next pass, 0: none; they are repeated until then */
	bool is_of_start;           /* numbers of the last start are looked at, too */
	bool is_running, is_wanted; /* a pass; another one, because of what has failed meanwhile */
	size_t round, shard, product;
	struct store_doubt slice; /* of the round */
	uint64_t after_account, after_hash;
	struct clickhouse_query *query;
	size_t puts;   /* that have not ended */
	size_t mended; /* by the pass */
	struct error failure;
};

struct cluster {
	struct store *store;
	struct event_base *base;
	struct clickhouse *clickhouse;
	char *database;
	size_t quorum;
	int64_t patience_us; /* with a query that somebody waits for */

	bool is_target;   /* records are in days yet, and are moved here (takeover.h); */
	bool is_begun;    /* some are here already */
	bool is_given_up; /* records were moved here, and the next start is to be without the cluster */

	/* Whether the tables are as they must be is asked until it is known. */
	bool is_ready;
	struct error why_not;
	struct clickhouse_query *checks;
	size_t checked_shard;
	uint64_t newest;               /* the greatest version that was found */
	struct schema_server *servers; /* of each shard, the one that was asked */
	struct event *check_again;

	struct cluster_puts gathered, looking, next; /* `next` are of the round after the one that commits */
	size_t gathered_count, gathered_bytes, next_bytes;
	size_t looking_count;
	struct cluster_lookup *lookups; /* those under way */
	size_t lookups_left;
	struct error lookup_failure;  /* of one of them */
	struct cluster_known **known; /* CLUSTER_SLOTS */
	size_t known_bytes;
	struct cluster_chunks chunks;
	size_t chunk_bytes;
	struct cluster_numbers numbers;
	/* Rows may be there that were never acknowledged, with these versions: those of starts, and then of commits that failed. */
	struct store_doubts doubts;
	size_t doubts_of_starts;
	bool has_new_doubts; /* that are not in the catalog */
	size_t uncommitted;
	struct cluster_mend mend;

	/* a commit */
	store_commit_fn commit_done;
	void *commit_arg;
	uint64_t commits; /* that have succeeded */
	bool inserts;
	struct clickhouse_query *insert; /* or NULL: between two */
	bool verifies;
	struct event *turn; /* what is to be done from the loop */

	/* retention */
	struct clickhouse_query *drop;
	size_t drop_shard;
	struct buf drops; /* lines of table and partition, for the shard */
	size_t drop_at;
	int32_t drop_before;
	bool drop_found; /* something, or could not look: days may be there yet */
	bool drop_waits; /* with what is listed, for commits that may bring records of such days: */
	struct cluster_point drop_after;
	int32_t dropping; /* days before this one were begun with, and go; 0: none. It is in the catalog, too */

	struct cluster_reader reader;
	struct buf scratch, packed;
};

static inline size_t cluster_shard(const struct cluster *cluster, const struct account_key *account)
{
	return id_hash64(account->bytes, ACCOUNT_KEY_LEN, 0) % clickhouse_shards(cluster->clickhouse);
}

/* --- cluster_check.c --- */

/* Begins to ask whether the tables are as they must be, unless that is done already. */
void cluster_check(struct cluster *cluster);

/* Ends what that has under way: it is not known any more. */
void cluster_forget_check(struct cluster *cluster);

/* The timer of cluster->check_again, when it is asked again; NULL when out of memory. */
struct event *cluster_check_timer(struct cluster *cluster);

/* Holds the numbers of accounts (meta_hold_account_numbers) where this front end gives them, until it is known which were given. */
void cluster_hold_keys(const struct cluster *cluster, bool held);

/* --- cluster_engine.c --- */

/* The options are copied. NULL with *err. */
MUST_CHECK struct cluster *cluster_new(struct store *store, const struct store_cluster *options, struct error *err);
void cluster_free(struct cluster *cluster);

/* Settings of a query that must see all that was acknowledged. */
const char *cluster_read_settings(const struct cluster *cluster);

/* The same, of one that has a person's number, or what is looked for, in it: it is not for the servers' tables of queries. */
#define CLUSTER_NO_QUERY_LOG "log_queries=0"
const char *cluster_private_settings(const struct cluster *cluster);

/* ERROR_UNAVAILABLE, with why. */
MUST_CHECK int cluster_refuse(const struct cluster *cluster, struct error *err);

/* --- cluster_numbers.c --- */

void cluster_numbers_init(struct cluster *cluster);

/* Something that the next commit decides about is checked with the catalog as it is now. */
void cluster_note_check(struct cluster *cluster, bool is_rejected);

/* The commit has ended: what was checked while it was under way is of the next one. */
void cluster_next_checks(struct cluster *cluster);

/* Nothing that was checked is left. */
void cluster_forget_checks(struct cluster *cluster);

/* So many numbers, and the ids of what is gathered: the turn follows when they are there. */
MUST_CHECK int cluster_numbers_begin(struct cluster *cluster, uint64_t needed, struct error *err);

/* How many numbers what is gathered needs at most. */
uint64_t cluster_numbers_needed(const struct cluster *cluster);

/* The next one. */
uint64_t cluster_next_number(struct cluster *cluster);

/* A record of the partition changes by this number. */
void cluster_note_change(struct cluster *cluster, const struct partition *partition, uint64_t version);

/* May an insert begin? */
MUST_CHECK int cluster_numbers_check(const struct cluster *cluster, struct error *err);

/* All is stored: the turn follows when they have settled. */
void cluster_numbers_stored(struct cluster *cluster);

/* The commit ends. What it was given is doubted unless it was acknowledged. */
void cluster_numbers_end(struct cluster *cluster, bool is_stored);

/* The first number that has not settled; 0. */
uint64_t cluster_first_open(const struct cluster *cluster);

/* All numbers before that are in the snapshot; what the daemon itself has put is so with its commit alone. */
void cluster_move_snapshot(struct cluster *cluster);

/* --- cluster_doubts.c --- */

/* Rows of these versions of a commit may be there that were never acknowledged. */
void cluster_doubt_span(struct cluster *cluster, uint64_t from, uint64_t to);

/* Before numbers are given: puts what is doubted since into the catalog. Until then it is doubted at the next start in any case, as
 * there are no newer numbers but of what is under way. */
MUST_CHECK int cluster_keep_doubts(struct cluster *cluster, struct error *err);

/* Doubts what the process before may have had under way, as it may have died before it acknowledged it, and what was
 * doubted so at some starts before, and of commits since these. What was under way is about the newest version that is
 * stored: of the numbers that were reserved, up to last_seq, most were never given. It is kept in the catalog, unless
 * numbers come from another front end. */
MUST_CHECK int cluster_doubt_at_start(struct cluster *cluster, struct error *err);

/* Was a row of this version perhaps never acknowledged, and so never a change in the feed? */
bool cluster_is_doubtful(const struct cluster *cluster, uint64_t version);

/* cluster_lent.c: forgets all, without a call. */
void cluster_free_lent(struct cluster *cluster);

/* --- cluster_put.c --- */

void cluster_put(struct cluster *cluster, const struct record *record, int64_t time_us,
                 const struct store_versions *versions, store_put_fn done, void *arg);

/* Puts the record of the row's day and id without the number, as it is then, if it holds it: STORE_UPDATED, otherwise
 * STORE_DUPLICATE. Where the row is dead, the record is marked anew as gone from there, unless it is back by then.
 * `eraser` must live until `done`, or until cluster_forget_erasing, after which that is not called. */
void cluster_put_erased(struct cluster *cluster, const struct record *record, const struct cluster_row *row,
                        const struct cluster_eraser *eraser, store_put_fn done, void *arg);
void cluster_forget_erasing(struct cluster *cluster, const struct cluster_eraser *eraser);

/* Mends what is half a move of the record to or from the row's place: STORE_DUPLICATE if nothing is. The record is as the row has
 * it, and `goes_us` the time it has there: of a dead row that of where it went. */
void cluster_put_mending(struct cluster *cluster, const struct record *record, const struct cluster_row *row,
                         int64_t goes_us, store_put_fn done, void *arg);

/* Of all that has been put and is not committed: with more than CLUSTER_FULL_BYTES, puts are refused. */
size_t cluster_waiting_bytes(const struct cluster *cluster);

/* Does anything wait for a commit? */
bool cluster_has_waiting(const struct cluster *cluster);

/* The number of the last change that is stored with all before it; what is on its way has greater ones. */
static inline uint64_t cluster_newest_stored(const struct cluster *cluster)
{
	uint64_t first = cluster_first_open(cluster);

	return first > 0 ? first - 1 : cluster->store->last_seq;
}

/* All that has been put, or given numbers, until now. */
static inline struct cluster_point cluster_point(const struct cluster *cluster)
{
	return (struct cluster_point){ .commits = cluster->commits + (cluster->commit_done ? 2 : 1),
		                       .numbers = cluster->store->last_seq };
}

/* Is all that had been put until then committed, or given up? */
static inline bool cluster_has_settled(const struct cluster *cluster, const struct cluster_point *until)
{
	uint64_t first = cluster_first_open(cluster);

	return (first == 0 || first > until->numbers) &&
	       (cluster->commits >= until->commits || !cluster_has_waiting(cluster));
}

/* Forgets everything that is not inserted; puts end with the error. */
void cluster_drop(struct cluster *cluster, const struct error *err);

/* --- cluster_lookup.c --- */

/* Begins to look up what is gathered, or a part of it, for the commit under way. */
void cluster_look_up(struct cluster *cluster);
void cluster_forget_lookups(struct cluster *cluster);

/* Called when everything gathered has been looked up, or with why not. */
void cluster_looked_up(struct cluster *cluster, const struct error *err);

/* --- cluster_apply.c and cluster_known.c --- */

/* Adds the rows of a put to chunks, after what is stored of its record has been looked up. */
MUST_CHECK int cluster_apply(struct cluster *cluster, const struct cluster_put *put, enum store_put_result *result,
                             struct error *err);
void cluster_forget_known(struct cluster *cluster);

/* --- cluster_commit.c --- */

void cluster_commit(struct cluster *cluster, store_commit_fn done, void *arg);
void cluster_end_commit(struct cluster *cluster, const struct error *err);
void cluster_insert_next(struct cluster *cluster);
void cluster_chunk_free(struct cluster *cluster, struct cluster_chunk *chunk);

/* --- cluster_scan.c, cluster_find.c, cluster_aggregate.c, cluster_changes.c --- */

MUST_CHECK struct scan *cluster_scan(struct store *store, const struct scan_query *query,
                                     const struct scan_position *from, const struct scan_sink *sink, struct error *err);
MUST_CHECK struct scan *cluster_find(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
                                     struct error *err);

MUST_CHECK struct aggregate *cluster_aggregate(struct store *store, const struct aggregate_query *query,
                                               struct error *err);

MUST_CHECK struct changes *cluster_changes(struct store *store, const struct changes_query *query, struct error *err);

/* --- cluster_give.c --- */

/* What a scan needs to give rows to its sink. */
struct cluster_giving {
	struct cluster_reader reader;
	struct buf line;
	bool reads_line;             /* the sink's lines are those of the table */
	bool judges;                 /* servers have not decided on all filters */
	bool reads_rest, reads_body; /* texts of a row; of a scan, not of what finds ids */
};
void cluster_giving_init(struct cluster_giving *giving, const struct scan *scan);
void cluster_giving_free(struct cluster_giving *giving);

/* Gives a row to the sink, unless it judges and the filters do not let it pass: 1, 0 if the sink says stop, -1. */
MUST_CHECK int cluster_give(struct cluster_giving *giving, struct scan *scan, const struct catalog_product *product,
                            const struct cluster_row *row, const struct scan_position *after, struct error *err);

/* --- cluster_retention.c --- */

/* Also days that were begun with, whatever `day` is. */
void cluster_drop_days_before(struct cluster *cluster, int32_t day);

MUST_CHECK int cluster_load_dropping(struct cluster *cluster, struct error *err);

#endif
