/* SPDX-License-Identifier: ISC */
/*
 * map_guard.h: reading a mapped file whose pages are gone is an error, not the end of the process.
 *
 * A file that was cut short while it is mapped, or a disk that does not give a page, is a SIGBUS at the instruction
 * that reads. Jumping out of it would leave LMDB and us half way through an operation. So the handler puts a page of
 * memory in place of the unreadable one, notes that, and lets the instruction run again. What is read from then on is
 * not the file's; when done, the reader asks whether that has happened and, if so, discards all it has read. LMDB takes
 * the page for a leaf with one empty key: it looks valid, but what is searched for is not found.
 *
 * A SIGBUS elsewhere has its usual effect.
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

/* One that sets the bool that `lost` points to. */
void map_guard_set(void *lost);

/* Sets the handler up; again does nothing. */
void map_guard_install(void);

/* Guards a map from now on. -1 when out of memory. */
int map_guard_add(const void *map, size_t bytes, enum map_guard_fill fill, map_guard_fn fn, void *arg);

/* While an environment is being opened, the address of its map is unknown: any address is guarded until this is called
 * with NULL. */
void map_guard_catch(map_guard_fn fn, void *arg);

/* Call before unmapping. Does nothing for a map that is not guarded, or NULL. */
void map_guard_remove(const void *map);

#endif
