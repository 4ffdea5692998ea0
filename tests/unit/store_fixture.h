/* SPDX-License-Identifier: ISC */
/*
 * store_fixture.h: a store in a directory of its own, for the tests that need one.
 *
 * fixture_open makes both, fixture_restart closes and opens the store as a new process would, fixture_close removes
 * everything. Maps are small; a test that wants a full one opens with a smaller size.
 */
#ifndef CDRD_TESTS_UNIT_STORE_FIXTURE_H
#define CDRD_TESTS_UNIT_STORE_FIXTURE_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "expect.h"
#include "meta/meta.h"
#include "meta/quarantine.h"
#include "store/day_count.h"
#include "store/store.h"
#include "store/verify.h"

#define FIXTURE_MAP_BYTES ((size_t)64 << 20)

struct fixture {
	char dir[64];
	struct store_options options;
	struct meta *meta;
	struct store *store;
};

static inline void begin_sealing(struct store *store)
{
	struct error err = { 0 };

	ck_assert_msg(store_seal_all(store, &err) == 0, "store_seal_all: %s", err.message);
}

/* Does all the maintenance that there is, with a commit after each slice. */
static inline void fixture_maintain(struct store *store)
{
	struct error err = { 0 };
	bool more = true, dirty;

	while (more) {
		ASSERT_OK(store_maintain(store, INT64_MAX, &more, &dirty, &err));
		ASSERT_OK(store_commit(store, &err));
	}
}

/* Seals what is committed. */
static inline void fixture_seal(struct store *store)
{
	begin_sealing(store);
	fixture_maintain(store);
}

/* What verifying has found. */
struct fixture_faults {
	int count;
	char last[512]; /* "" if there is none */
};

/* A verify_fault_fn. */
static inline void fixture_take_fault(void *arg, const char *fault)
{
	struct fixture_faults *faults = arg;

	faults->count++;
	snprintf(faults->last, sizeof(faults->last), "%s", fault);
}

/* Verifies everything, in the smallest slices. */
static inline struct fixture_faults fixture_verify(struct store *store)
{
	struct fixture_faults faults = { 0 };
	struct error err = { 0 };
	struct verify *verify = verify_new(store, NULL, fixture_take_fault, &faults, &err);
	bool done = false;

	expect(verify, "verify_new: %s", err.message);
	while (!done)
		ASSERT_OK(verify_step(verify, 0, &done, &err));
	verify_free(verify);
	return faults;
}

static inline void fixture_assert_sound(struct store *store)
{
	struct fixture_faults faults = fixture_verify(store);

	expect(faults.count == 0, "verify: %d faults, the last: %s", faults.count, faults.last);
}

/* In the smallest slices. */
MUST_CHECK static inline int fixture_count_day(struct store *store, int32_t day, struct store_day_stats *stats,
                                               struct error *err)
{
	struct day_count count = { .stats = { .day = day } };
	int result;

	while ((result = store_count_day(store, &count, 0, err)) == 0)
		;
	*stats = count.stats;
	return result < 0 ? -1 : 0;
}

static inline bool fixture_count_entry(void *arg, const struct quarantine_entry *entry)
{
	(void)entry;
	*(int *)arg += 1;
	return true;
}

static inline int fixture_count_quarantine(struct meta *meta)
{
	struct error err = { 0 };
	int entries = 0;

	ck_assert_msg(quarantine_each(meta, 0, fixture_count_entry, &entries, &err) == 0, "quarantine_each: %s",
	              err.message);
	return entries;
}

static inline void fixture_start(struct fixture *f)
{
	struct meta_options options = { .data_dir = f->dir, .map_bytes = FIXTURE_MAP_BYTES };
	struct error err = { 0 };

	ck_assert_msg(meta_open(&f->meta, &options, &err) == 0, "meta_open: %s", err.message);
	f->options.meta = f->meta;
	ck_assert_msg(store_open(&f->store, &f->options, &err) == 0, "store_open: %s", err.message);
}

static inline void fixture_stop(struct fixture *f)
{
	store_close(f->store);
	meta_close(f->meta);
	f->store = NULL;
	f->meta = NULL;
}

/* In memory where that can be: these tests commit often, and none of them pulls the plug. */
static inline void fixture_directory(char *out, size_t size)
{
	snprintf(out, size, "%s/cdrd-test-store-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(out));
}

static inline void fixture_open(struct fixture *f, size_t day_map_bytes)
{
	fixture_directory(f->dir, sizeof(f->dir));
	f->options = (struct store_options){
		.data_dir = f->dir,
		.day_map_bytes = day_map_bytes,
		.days_open_max = 8,
	};
	fixture_start(f);
}

static inline void fixture_restart(struct fixture *f)
{
	fixture_stop(f);
	fixture_start(f);
}

static inline int fixture_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fixture_close(struct fixture *f)
{
	fixture_stop(f);
	nftw(f->dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
