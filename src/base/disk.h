/* SPDX-License-Identifier: ISC */
/*
 * disk.h: is there room on the disk that holds data_dir?
 *
 * Looked at once a second (statvfs), so that whoever is about to write can ask for nothing. The disk is *low* when less
 * is free than disk_min_free or disk_min_free_percent says; it stays low until a sixteenth more than that is free, so
 * that a disk at the limit does not change its mind every second. Low is for those who may refuse: ingest answers 507
 * and reports do not start, while answers, callbacks and sealing use what is left.
 */
#ifndef CDRD_BASE_DISK_H
#define CDRD_BASE_DISK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"

struct disk;

/* `config` stays the caller's; its settings are read at each look, so that a reload takes effect. Looks for the first
 * time at once: data_dir must be there. */
MUST_CHECK struct disk *disk_new(struct event_base *base, const struct config *config, struct error *err);

/* Does nothing on NULL. */
void disk_free(struct disk *disk);

/* Looks now. */
void disk_look(struct disk *disk);

struct disk_room {
	uint64_t free_bytes; /* for us: without what is reserved for root */
	uint64_t total_bytes;
	uint64_t limit_bytes; /* the larger of the two settings' */
	bool low;
};

/* As last looked at. */
void disk_room(const struct disk *disk, struct disk_room *room);

/* False on NULL. */
bool disk_is_low(const struct disk *disk);

/* Sets ERROR_FULL with what is free and what the limit is; always returns -1. For clients, too: names no path. */
int disk_fail_low(const struct disk *disk, struct error *err);

#endif
