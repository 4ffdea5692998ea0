/* SPDX-License-Identifier: ISC */
/*
 * moving.h: the task that moves records to a cluster (store/takeover.h). Batches ask by themselves whether records are let in.
 */
#ifndef CDRD_INGEST_MOVING_H
#define CDRD_INGEST_MOVING_H

struct moving;
struct store;
struct tasks;

/* They stay the caller's and must outlive it. NULL when out of memory. */
struct moving *moving_new(struct tasks *tasks, struct store *store);

/* Does nothing on NULL. */
void moving_free(struct moving *moving);

#endif
