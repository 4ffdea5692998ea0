/* SPDX-License-Identifier: ISC */
/*
 * disk.c: the timer and the sums; see disk.h.
 */
#include "base/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"

#define LEEWAY 16 /* low ends at a sixteenth above the limit */

struct disk {
	const struct config *config;
	struct event *timer;
	struct disk_room room;
	bool failed; /* the last check; logged once */
};

static const struct timeval period = { 1, 0 };

static uint64_t limit_of(const struct config *config, uint64_t total_bytes)
{
	uint64_t bytes = (uint64_t)config->disk_min_free;
	uint64_t share = total_bytes / 100 * (uint64_t)config->disk_min_free_percent;

	return bytes > share ? bytes : share;
}

static void set_low(struct disk_room *room)
{
	uint64_t enough = room->limit_bytes + (room->low ? room->limit_bytes / LEEWAY : 0);
	bool low = room->free_bytes < enough;

	if (low && !room->low)
		log_error("disk",
		          "%llu bytes are free, disk_min_free asks for %llu: ingest is refused and reports wait",
		          (unsigned long long)room->free_bytes, (unsigned long long)room->limit_bytes);
	else if (!low && room->low)
		log_info("disk", "%llu bytes are free, which is enough again", (unsigned long long)room->free_bytes);
	room->low = low;
}

void disk_look(struct disk *disk)
{
	struct disk_room *room = &disk->room;
	struct statvfs st;

	/* The last values stay in use until there are new ones. */
	if (statvfs(disk->config->data_dir, &st) != 0) {
		if (!disk->failed)
			log_error("disk", "%s: cannot tell what is free: %s", disk->config->data_dir, strerror(errno));
		disk->failed = true;
		return;
	}
	disk->failed = false;
	room->free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	room->total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
	room->limit_bytes = limit_of(disk->config, room->total_bytes);
	set_low(room);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	disk_look(arg);
}

struct disk *disk_new(struct event_base *base, const struct config *config, struct error *err)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	if (disk) {
		disk->config = config;
		disk->timer = event_new(base, -1, EV_PERSIST, on_timer, disk);
	}
	if (!disk || !disk->timer || event_add(disk->timer, &period) < 0) {
		disk_free(disk);
		error_set(err, ERROR_NOMEM, "disk: out of memory");
		return NULL;
	}
	disk_look(disk);
	return disk;
}

void disk_free(struct disk *disk)
{
	if (!disk)
		return;
	if (disk->timer)
		event_free(disk->timer);
	free(disk);
}

void disk_room(const struct disk *disk, struct disk_room *room)
{
	*room = disk->room;
}

bool disk_is_low(const struct disk *disk)
{
	return disk && disk->room.low;
}

int disk_fail_low(const struct disk *disk, struct error *err)
{
	return error_set(err, ERROR_FULL, "The disk is nearly full: %llu bytes are free, at least %llu are kept free.",
	                 (unsigned long long)disk->room.free_bytes, (unsigned long long)disk->room.limit_bytes);
}
