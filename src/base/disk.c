/* SPDX-License-Identifier: ISC */
/*
 * disk.c: the timer and the sums; see disk.h.
 */
#include "base/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"

#define LEEWAY 16 /* low ends at a sixteenth above the limit */

/* What was free, every SAMPLE_US: enough for a day. */
#define SAMPLE_US (5 * 60 * CLOCK_US_PER_SECOND)
#define SAMPLES 288
#define TREND_LEAST_US (3600 * CLOCK_US_PER_SECOND)
#define TREND_YEARS_MAX 10

struct sample {
	int64_t time_us; /* monotonic */
	uint64_t free_bytes;
};

struct disk {
	const struct config *config;
	struct event *timer;
	struct disk_room room;
	struct sample samples[SAMPLES];
	size_t samples_count; /* since the start; the last SAMPLES of them are kept */
	bool failed;          /* the last check; logged once */
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

static void note_sample(struct disk *disk)
{
	int64_t now_us = clock_monotonic_us();

	if (disk->samples_count > 0 && now_us - disk->samples[(disk->samples_count - 1) % SAMPLES].time_us < SAMPLE_US)
		return;
	disk->samples[disk->samples_count++ % SAMPLES] = (struct sample){ now_us, disk->room.free_bytes };
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
	note_sample(disk);
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

int64_t disk_low_at_us(const struct disk *disk)
{
	const struct disk_room *room = &disk->room;
	const struct sample *first = &disk->samples[disk->samples_count > SAMPLES ? disk->samples_count % SAMPLES : 0];
	int64_t span_us = clock_monotonic_us() - first->time_us;
	double shrunk = (double)first->free_bytes - (double)room->free_bytes;
	double left = (double)room->free_bytes - (double)room->limit_bytes;

	if (disk->samples_count == 0 || span_us < TREND_LEAST_US || shrunk <= 0 || left <= 0)
		return 0;
	double us = left / shrunk * (double)span_us;
	return us < (double)TREND_YEARS_MAX * 365 * (double)CLOCK_US_PER_DAY ? clock_now_us() + (int64_t)us : 0;
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
