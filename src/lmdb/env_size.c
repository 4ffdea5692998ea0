/* SPDX-License-Identifier: ISC */
/* env_size.c: has an environment's file all pages that its last commit needs? See env.h. */
#include "lmdb/env.h"

#include <errno.h>
#include <sys/stat.h>

#include "lmdb/map_guard.h"

#define FREE_DBI 0

/* How many of the pages from `first` on are free? LMDB does not write a page that was allocated and freed again. */
static int count_free(const struct env *env, MDB_txn *txn, uint64_t first, uint64_t *count, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, FREE_DBI, &cursor);

	if (rc)
		return env_fail(env, rc, "open cursor", err);
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !rc;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		const uint64_t *list = val.mv_data; /* how many, then their numbers */

		for (uint64_t i = 1; i < val.mv_size / sizeof(*list) && i <= list[0]; i++)
			*count += list[i] >= first;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : env_fail(env, rc, "read the list of free pages", err);
}

static int check_free(const struct env *env, uint64_t first, uint64_t end, struct error *err)
{
	uint64_t free_pages = 0;
	bool lost = false;
	MDB_txn *txn;

	map_guard_install();
	map_guard_catch(map_guard_set, &lost);
	int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
	int result = rc ? env_fail(env, rc, "begin read", err) : count_free(env, txn, first, &free_pages, err);
	if (!rc)
		mdb_txn_abort(txn);
	map_guard_catch(NULL, NULL);
	if ((result != 0 && !lost) || (result == 0 && !lost && free_pages >= end - first))
		return result; /* no room to look says nothing about the file */
	return error_set(err, ERROR_CORRUPT, "%s: cut short, %llu pages of %llu", env->path, (unsigned long long)first,
	                 (unsigned long long)end);
}

int env_check_size(const struct env *env, struct error *err)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd;
	int rc = mdb_env_get_fd(env->mdb, &fd);

	if (!rc)
		rc = mdb_env_info(env->mdb, &info);
	if (!rc)
		rc = mdb_env_stat(env->mdb, &stat);
	if (rc)
		return env_fail(env, rc, "look", err);
	if (fstat(fd, &st) != 0)
		return error_set_errno(err, errno, "%s", env->path);
	uint64_t first = (uint64_t)st.st_size / stat.ms_psize, end = (uint64_t)info.me_last_pgno + 1;
	return first >= end ? 0 : check_free(env, first, end, err);
}
