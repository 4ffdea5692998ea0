/* SPDX-License-Identifier: ISC */
/*
 * map_guard.h: reading a mapped file whose pages are gone is an error, not the end of the process.
 *
 * A file that was cut short while it is mapped, or a disk that does not give a page, is a SIGBUS at the instruction that
 * reads. Jumping out of it would leave LMDB and us half way through whatever it was. So the handler puts a page of memory
 * in the place of the one that cannot be read, notes that, and lets the instruction be done again. What is read from then
 * on is not the file's; whoever reads asks, when he is through, whether that has happened, and then believes nothing of
 * it. The page is one that LMDB takes for a leaf with one empty key, so that it finds nothing amiss but what it looks for.
 *
 * A SIGBUS elsewhere is what it always was.
 */
#ifndef CDRD_LMDB_MAP_GUARD_H
#define CDRD_LMDB_MAP_GUARD_H

#include <stddef.h>
#include <stdint.h>

enum map_guard_fill {
	MAP_GUARD_LMDB,   /* pages of LMDB */
	MAP_GUARD_FILTER, /* the first page zeros, the others ones: a Bloom filter that says "maybe" */
};

/* Is called in the signal's handler: may do no more than set members of what `arg` points to. */
typedef void (*map_guard_fn)(void *arg);

/* Sets the handler up; again does nothing. */
void map_guard_install(void);

/* Looks after a map from now on. -1 when out of memory. */
int map_guard_add(const void *map, size_t bytes, enum map_guard_fill fill, map_guard_fn fn, void *arg);

/* While an environment is being opened, nobody knows where its map is: any address is looked after until this is called
 * with NULL. */
void map_guard_catch(map_guard_fn fn, void *arg);

/* Before it is unmapped. Does nothing for one that is not looked after, or NULL. */
void map_guard_remove(const void *map);

#endif
