/* SPDX-License-Identifier: ISC */
/*
 * feed_private.h: what the files of feed/ share; private to it.
 */
#ifndef CDRD_FEED_FEED_PRIVATE_H
#define CDRD_FEED_FEED_PRIVATE_H

#include <dirent.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed/feed.h"
#include "record/ingest_settings.h"

#define FEED_PATH_MAX 400               /* bytes; a key of META_DB_FEEDS holds one */
#define FEED_HEAD_MAX ((size_t)1 << 10) /* bytes at a file's beginning by which it is known again */
#define FEED_RETRY_US (5 * CLOCK_US_PER_SECOND)
#define FEED_FULL_US CLOCK_US_PER_SECOND /* one that waits for a commit's end, or for a cluster, looks again */

/* Where reading has got to in a file. Offsets are at the beginning of a row. */
struct place {
	uint64_t inode; /* 0: there is no place */
	char name[256]; /* of a spool's file */
	uint64_t offset, line;
	bool finished; /* all of it was read */
	uint64_t head_len, head_hash;
	struct buf header;            /* of CSV, which rows after the place need */
	struct ingest_summary counts; /* of the rows before */
};

enum feed_kind { FEED_SPOOL, FEED_TAIL };

struct spool_file {
	struct timespec time; /* of its last change */
	char *name;
};

/* The files of a spool as they were found last. */
struct spool_scan {
	DIR *dir;                 /* of the scan under way, or NULL */
	struct spool_file *files; /* the oldest ones; in order, after the scan, of which those before `next` are done */
	size_t count, room, next;
	uint64_t waiting; /* files that there were, without those done since */
	bool changed;     /* the directory, since the scan began */
};

struct feed {
	LIST_ENTRY(feed) link;
	struct feeds *feeds;
	enum feed_kind kind;
	char path[FEED_PATH_MAX + 1]; /* of the spool, or the file */
	struct ingest_settings settings;
	struct task task;
	int watch; /* of the directory, by inotify; -1: none */

	struct spool_scan scan;
	bool moved; /* the spool's file that the place is in: what has its name now is another one */

	/* the file that is read */
	int fd; /* -1: none */
	struct stat stat;
	struct ingest_batch *batch;
	struct place place;
	uint64_t read_to;             /* bytes that were fed; rows of those after place.offset are not complete */
	struct ingest_summary before; /* counts up to where this run began */
	uint64_t rejected;            /* rows of this run that are in quarantine for good */
	bool dirty;                   /* the place is not on disk, */
	bool moved_on;                /* and has changed since it was noted */
	bool has_noted;               /* a commit that was begun decides about all before this place: */
	struct place noted;           /* its header is that of `place` */
	bool is_full;                 /* it waits for a commit's end */
	bool reloads;                 /* mappings have changed: it is to be closed once the place is on disk */
	uint64_t losses;              /* of ingest, when it was noted */
	bool ending;                  /* the batch is finished, and not answered yet */
	bool ended;                   /* it is, as `failure` and `answer` say: */
	bool failed;                  /* it was not stored */
	struct error failure;
	struct buf answer;
	struct timespec passed_time; /* a tail: the last change of the file that was read before this one, */
	struct buf passed;           /* and those of that very time that were read: their inodes, the last one last */
	int64_t still_since_us;      /* a tail: when the file was first seen rotated, with nothing more in it */
	int64_t committed_us;        /* when a commit was asked for */
	bool told;                   /* the log says what is wrong with it */
	char problem[512];           /* what that is */
};

struct feeds {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct ingest *ingest;
	struct ingest_watch watch;
	LIST_HEAD(, feed) list;
	struct event *inotify_event;
	int inotify_fd;
	char *chunk;
};

/* --- place.c --- */

/* The feed's place as it was last made durable; place->inode 0 if there is none. */
MUST_CHECK int place_load(struct feed *feed, struct error *err);

/* Puts it, to last with the next meta_commit. `place` is the feed's, or one noted of it. */
MUST_CHECK int place_put(const struct feed *feed, const struct place *place, struct error *err);

/* Is the open file the one that the place is in? Its inode may have been given to another since. 1, 0, -1. */
MUST_CHECK int place_is_in(const struct place *place, int fd, const struct stat *stat, const char *path,
                           struct error *err);

/* --- feed_file.c --- */

/* Begins or resumes feed->fd: at the place if it is in this file, otherwise at its beginning. The descriptor is the
 * feed's from now on. */
MUST_CHECK int feed_file_begin(struct feed *feed, int fd, struct error *err);

/* Full: as much waits for a commit as may, whose end wakes the task. */
enum feed_result { FEED_MORE, FEED_END, FEED_FULL, FEED_FAILED };

/* Reads on until about deadline_us, or to what is now the file's end. */
MUST_CHECK enum feed_result feed_file_read(struct feed *feed, int64_t deadline_us, struct error *err);

/* All of it was read: its last row is complete. The task is woken when all is on disk (feed->ended). */
void feed_file_finish(struct feed *feed);

/* Closes the file; what is not on disk will be read again. */
void feed_file_close(struct feed *feed);

/* May it be closed without that? Otherwise it asks for a commit, whose end wakes the task (feed->is_full). */
bool feed_file_is_on_disk(struct feed *feed);

/* --- spool_scan.c --- */

/* Looks for files until about deadline_us, unless some are left that were found before: 1 when it is through, 0 if there
 * is more to look at, -1. */
MUST_CHECK int spool_scan_step(struct spool_scan *scan, int directory, int64_t deadline_us, struct error *err);

/* The oldest that was found and is not dropped; NULL: none. */
const char *spool_scan_next(const struct spool_scan *scan);

/* This file is done, or gone; nothing if it is not the next one. `name` may be the scan's own. */
void spool_scan_drop(struct spool_scan *scan, const char *name);

void spool_scan_end(struct spool_scan *scan);

/* --- spool.c, tail.c: a step of the task --- */

void spool_step(struct feed *feed, int64_t deadline_us);
void tail_step(struct feed *feed, int64_t deadline_us);

/* --- feeds.c --- */

/* The next step, after a pause of `pause_us`. */
void feed_wake(struct feed *feed, int64_t pause_us);

/* Logs what is wrong, once until it works again, and tries again after a while. */
void feed_retry(struct feed *feed, const struct error *err);

#endif
