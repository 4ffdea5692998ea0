/* SPDX-License-Identifier: ISC */
/*
 * mirror.c: see mirror.h.
 */
#include "store/copying/mirror.h"

#include "base/clock.h"
#include "store/blocks/block.h"

#define COMMIT_BYTES ((size_t)1 << 20) /* put between commits, whose pages are written while the next ones are made */
#define SYNC_BYTES ((size_t)8 << 20)   /* between fsyncs, most of which is on disk by then */
#define ROUNDS_IN_SLICES 4             /* then the last one is made in one go */
#define LOOK_EVERY 64

/* A pair of cursors, walked side by side. */
struct walk {
	struct mirror *mirror;
	MDB_cursor *from, *to;
	MDB_val from_key, from_val, to_key, to_val;
	int from_rc, to_rc; /* 0, or MDB_NOTFOUND after the end */
	bool at_end;        /* the copy has no further keys */
	struct error *err;
};

size_t mirror_txn_id(const struct env *env)
{
	MDB_envinfo info;

	return env->mdb && mdb_env_info(env->mdb, &info) == 0 ? info.me_last_txnid : 0;
}

void mirror_free(struct mirror *mirror)
{
	buf_free(&mirror->last);
}

/* --- one key --- */

static int seek(const struct mirror *mirror, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	return env_seek_after(cursor, env_val(mirror->last.data, mirror->last.len), key, val);
}

static int compare_keys(const MDB_val *a, const MDB_val *b)
{
	size_t len = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	int order = memcmp(a->mv_data, b->mv_data, len);

	return order ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

/* The length of a block's head; 0 if it is none. */
static size_t head_bytes(const MDB_val *val)
{
	uint32_t magic = 0;

	if (val->mv_size >= sizeof(struct block_head))
		memcpy(&magic, val->mv_data, sizeof(magic));
	return block_head_bytes(magic);
}

static bool is_equal(const MDB_val *a, const MDB_val *b)
{
	if (a->mv_size != b->mv_size)
		return false;
	size_t head = head_bytes(a);
	size_t len = head > 0 && head_bytes(b) == head ? head : a->mv_size;
	return memcmp(a->mv_data, b->mv_data, len) == 0;
}

static int put(struct walk *walk, unsigned flags)
{
	struct mirror *mirror = walk->mirror;
	MDB_val key = walk->from_key, val = walk->from_val;
	int rc = mdb_cursor_put(walk->to, &key, &val, flags);

	if (rc)
		return env_fail(mirror->to, rc, "copy", walk->err);
	mirror->uncommitted_bytes += key.mv_size + val.mv_size;
	return 0;
}

static int remember(struct walk *walk, const MDB_val *key)
{
	struct buf *last = &walk->mirror->last;

	buf_clear(last);
	buf_add(last, key->mv_data, key->mv_size);
	return last->failed ? error_set(walk->err, ERROR_NOMEM, "copying: out of memory") : 0;
}

/* Moves the copy's cursor to the first key after the one remembered. */
static void next_of_copy(struct walk *walk)
{
	walk->to_rc = seek(walk->mirror, walk->to, &walk->to_key, &walk->to_val);
}

/* Makes both sides equal at the lesser of the two keys, and moves to after it. */
static int settle_one(struct walk *walk)
{
	int order = walk->from_rc ? 1 : walk->to_rc ? -1 : compare_keys(&walk->from_key, &walk->to_key);

	if (order > 0) { /* it is in the copy alone */
		if (remember(walk, &walk->to_key) != 0)
			return -1;
		int rc = mdb_cursor_del(walk->to, 0);
		walk->mirror->uncommitted_bytes += 64;
		next_of_copy(walk);
		return rc ? env_fail(walk->mirror->to, rc, "remove from the copy", walk->err) : 0;
	}
	bool put_it = order < 0 || !is_equal(&walk->from_val, &walk->to_val);
	if (put_it && put(walk, order < 0 && walk->to_rc ? MDB_APPEND : 0) != 0)
		return -1;
	if (remember(walk, &walk->from_key) != 0)
		return -1;
	if (put_it && !walk->to_rc)
		next_of_copy(walk); /* the put has moved pages */
	else if (!put_it)
		walk->to_rc = mdb_cursor_get(walk->to, &walk->to_key, &walk->to_val, MDB_NEXT);
	walk->from_rc = mdb_cursor_get(walk->from, &walk->from_key, &walk->from_val, MDB_NEXT);
	return 0;
}

/* --- a slice of a database --- */

static int check_ends(const struct walk *walk)
{
	if (walk->from_rc && walk->from_rc != MDB_NOTFOUND)
		return env_fail(walk->mirror->from, walk->from_rc, "read", walk->err);
	if (walk->to_rc && walk->to_rc != MDB_NOTFOUND)
		return env_fail(walk->mirror->to, walk->to_rc, "read the copy", walk->err);
	return 0;
}

/* 1 at the database's end, 0, -1. */
static int walk_some(struct walk *walk, int64_t deadline_us)
{
	struct mirror *mirror = walk->mirror;

	walk->from_rc = seek(mirror, walk->from, &walk->from_key, &walk->from_val);
	walk->to_rc = seek(mirror, walk->to, &walk->to_key, &walk->to_val);
	for (unsigned looks = 1;; looks++) {
		if (check_ends(walk) != 0)
			return -1;
		if (walk->from_rc && walk->to_rc)
			return 1;
		if (settle_one(walk) != 0)
			return -1;
		if (mirror->uncommitted_bytes >= COMMIT_BYTES ||
		    (looks % LOOK_EVERY == 0 && clock_monotonic_us() >= deadline_us))
			return 0;
	}
}

static int step_db(struct mirror *mirror, MDB_txn *from, int64_t deadline_us, struct error *err)
{
	struct walk walk = { .mirror = mirror, .err = err };
	MDB_txn *to = env_write(mirror->to, err);

	if (!to)
		return -1;
	int rc = mdb_cursor_open(from, mirror->from->dbi[mirror->db], &walk.from);
	if (rc)
		return env_fail(mirror->from, rc, "open cursor", err);
	rc = mdb_cursor_open(to, mirror->to->dbi[mirror->db], &walk.to);
	int result = rc ? env_fail(mirror->to, rc, "open cursor", err) : walk_some(&walk, deadline_us);
	mdb_cursor_close(walk.from);
	if (!rc)
		mdb_cursor_close(walk.to);
	if (result > 0) {
		mirror->db++;
		buf_clear(&mirror->last);
	}
	return result < 0 ? -1 : 0;
}

/* --- rounds --- */

/* Until its end, the copy's commits need not last. */
static void begin_round(struct mirror *mirror)
{
	env_sync_later(mirror->to);
	mirror->round++;
	mirror->txn_id = mirror_txn_id(mirror->from);
	mirror->db = 0;
	buf_clear(&mirror->last);
}

static bool is_in_one_go(const struct mirror *mirror)
{
	return mirror->round > ROUNDS_IN_SLICES;
}

static int commit(struct mirror *mirror, bool is_last, struct error *err)
{
	mirror->unsynced_bytes += mirror->uncommitted_bytes;
	mirror->uncommitted_bytes = 0;
	if (env_commit(mirror->to, err) != 0)
		return -1;
	if (!is_last && mirror->unsynced_bytes < SYNC_BYTES)
		return 0;
	mirror->unsynced_bytes = 0;
	return is_last ? env_sync_at_once(mirror->to, err) : env_sync(mirror->to, err);
}

/* Works on the round until it has ended or the deadline has passed. */
static int step_round(struct mirror *mirror, int64_t deadline_us, struct error *err)
{
	MDB_txn *from = env_read(mirror->from, err);
	int result = from ? 0 : -1;

	while (result == 0 && mirror->dbs[mirror->db].name) {
		result = step_db(mirror, from, deadline_us, err);
		if (result == 0 && mirror->uncommitted_bytes >= COMMIT_BYTES)
			result = commit(mirror, false, err);
		if (clock_monotonic_us() >= deadline_us)
			break;
	}
	return from ? env_read_end(mirror->from, from, result, err) : result;
}

int mirror_step(struct mirror *mirror, int64_t deadline_us, bool *done, struct error *err)
{
	*done = false;
	if (mirror->round == 0)
		begin_round(mirror);
	/* What is not committed is not seen, and would make the one go end in vain. */
	if (is_in_one_go(mirror) && mirror->all && mirror->from->write)
		return 0;
	if (is_in_one_go(mirror)) {
		begin_round(mirror);
		deadline_us = INT64_MAX;
	}
	if (step_round(mirror, deadline_us, err) != 0)
		return -1;
	if (mirror->dbs[mirror->db].name)
		return 0;
	if (commit(mirror, true, err) != 0)
		return -1;
	*done = mirror_txn_id(mirror->from) == mirror->txn_id && !(mirror->all && mirror->from->write);
	if (!*done)
		begin_round(mirror);
	return 0;
}
