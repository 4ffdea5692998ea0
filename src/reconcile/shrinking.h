/* SPDX-License-Identifier: ISC */
/*
 * shrinking.h: removes large files without holding up the loop; private to reconcile/.
 *
 * To unlink a file of a hundred megabytes takes the file system tens of milliseconds, as it frees the blocks. So a file is
 * opened, loses its name at once, and is cut shorter a piece at a time; a crash in between leaves nothing. Not for a file
 * that others may be reading: it would end early for them.
 */
#ifndef CDRD_RECONCILE_SHRINKING_H
#define CDRD_RECONCILE_SHRINKING_H

#include <event2/event.h>

#include "base/error.h"

struct shrinking;

/* NULL when out of memory. */
struct shrinking *shrinking_new(struct event_base *base);

/* What is left is removed at once. Does nothing on NULL. */
void shrinking_free(struct shrinking *shrinking);

/* As unlinkat(directory, name, 0), with its errno. */
MUST_CHECK int shrinking_unlink(struct shrinking *shrinking, int directory, const char *name);

#endif
