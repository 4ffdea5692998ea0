/* SPDX-License-Identifier: ISC */
/*
 * disk.h: is there room on the disk that holds data_dir?
 *
 * Checked once a second (statvfs), so that asking before a write costs nothing. The disk is *low* when less is free
 * than disk_min_free or disk_min_free_percent says; it stays low until a sixteenth more than that is free, so that a
 * disk at the limit does not flap. Work that can be refused stops when it is low: ingest answers 507 and reports do not
 * start, while answers, callbacks and sealing use what is left.
 */
#ifndef CDRD_BASE_DISK_H
#define CDRD_BASE_DISK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"

struct disk;

/* `config` stays the caller's; its settings are read at each check, so that a reload takes effect. The first check is
 * made at once: data_dir must exist. */
MUST_CHECK struct disk *disk_new(struct event_base *base, const struct config *config, struct error *err);

/* Does nothing on NULL. */
void disk_free(struct disk *disk);

/* Checks now. */
void disk_look(struct disk *disk);

struct disk_room {
	uint64_t free_bytes; /* for us: without the part reserved for root */
	uint64_t total_bytes;
	uint64_t limit_bytes; /* the larger of the two settings' */
	bool low;
};

/* As of the last check. */
void disk_room(const struct disk *disk, struct disk_room *room);

/* When the disk will be low if what is free shrinks as it has in the last day, or since the start if that is less; 0 if it
 * does not shrink, has been watched for less than an hour, or would take more than ten years. */
int64_t disk_low_at_us(const struct disk *disk);

/* False on NULL. */
bool disk_is_low(const struct disk *disk);

/* Sets ERROR_FULL with what is free and what the limit is; always returns -1. The message may be shown to clients: it
 * names no path. */
int disk_fail_low(const struct disk *disk, struct error *err);

#endif
