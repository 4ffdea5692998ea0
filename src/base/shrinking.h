/* SPDX-License-Identifier: ISC */
/*
 * shrinking.h: removes large files without holding up the loop.
 *
 * To unlink a file of a hundred megabytes takes the file system tens of milliseconds, as it frees the blocks. So a file is
 * opened, loses its name at once, and is cut shorter a piece at a time; a crash in between leaves nothing. Who has it open,
 * or mapped, keeps it whole: it is cut when nobody else has it any more, which a lease (fcntl(2), F_SETLEASE) tells.
 */
#ifndef CDRD_BASE_SHRINKING_H
#define CDRD_BASE_SHRINKING_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct shrinking;

/* NULL when out of memory. */
struct shrinking *shrinking_new(struct event_base *base);

/* What is left is removed at once. Does nothing on NULL. */
void shrinking_free(struct shrinking *shrinking);

/* As unlinkat(directory, name, 0), with its errno; exactly that if `shrinking` is NULL. */
MUST_CHECK int shrinking_unlink(struct shrinking *shrinking, int directory, const char *name);

/* A file that is about to lose its name in another way than by shrinking_unlink, such as by a rename(2) over it. */
struct shrinking_file {
	int fd; /* -1: small, or it cannot be opened; it is removed in one go */
	off_t size;
	bool is_ours; /* nobody else has it open */
};

void shrinking_open(const struct shrinking *shrinking, int directory, const char *name, struct shrinking_file *file);

/* Exactly one of these follows. Begin when no power cut can give the file its name back. Errno stays. */
void shrinking_begin(struct shrinking *shrinking, struct shrinking_file *file);
void shrinking_close(struct shrinking_file *file);

/* Files without a name that still have bytes on disk. */
size_t shrinking_count(const struct shrinking *shrinking);

#endif
