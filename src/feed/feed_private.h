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
#define FEED_END_MAX ((size_t)256)      /* and before a place */
#define FEED_FILES_MAX 512              /* under way; some 20 kB each */
#define FEED_RETRY_US (5 * CLOCK_US_PER_SECOND)
#define FEED_FULL_US CLOCK_US_PER_SECOND /* one that waits for a commit's end, or for a cluster, looks again */

/* Where reading has got to in a file. Offsets are at the beginning of a row. */
struct place {
	uint64_t inode; /* 0: there is no place */
	char name[256]; /* of a spool's file */
	uint64_t offset, line;
	bool finished; /* all of it was read */
	uint64_t head_len, head_hash;
	uint64_t end_hash; /* of FEED_END_MAX bytes before the offset */
	struct timespec
		time;      /* of the file's last change, when the place was noted; 0: this and the end are not known */
	struct buf header; /* of CSV, which rows after the place need */
	struct ingest_summary counts; /* of the rows before */
};

/*
 * A file that is under way: one that is read (`fd`), was read and waits for the commit that decides about its end (`is_ending`), or
 * has ended. There is any number of the latter two; a spool also has files that are neither, which are read on from their places.
 */
struct feed_file {
	TAILQ_ENTRY(feed_file) link;
	struct feed *feed;
	int fd; /* -1: it is not read */
	struct stat stat;
	struct ingest_batch *batch;
	struct place place;
	struct buf stored;            /* its place as the row has it; empty: it has none */
	struct buf storing;           /* as the row will have it with the commit that follows; empty: as it has it */
	struct timespec storing_time; /* of that place */
	bool is_passed;               /* of a tail: it is in feed->passed */
	uint64_t read_to;             /* bytes that were fed; rows of those after place.offset are not complete */
	struct ingest_summary before; /* counts up to where this run began */
	bool dirty;                   /* the place is not on disk, */
	bool moved_on;                /* and has changed since it was noted */
	bool has_noted;               /* a commit that was begun decides about all before this place: */
	struct place noted;           /* its header is that of `place` */
	uint64_t losses;              /* of ingest, when it was noted */
	bool is_ending;               /* the batch is finished, and not answered yet */
	bool has_ended;               /* it is, as `failure` and `answer` say: */
	bool failed;                  /* it was not stored */
	struct error failure;
	struct buf answer;
	int64_t stuck_us; /* of a spool: when opening or moving it failed last; 0: never */
	bool has_report;  /* of a spool: its report is written, for this new name: */
	char new_name[300];
};

TAILQ_HEAD(feed_files, feed_file);

enum feed_kind { FEED_SPOOL, FEED_TAIL };

struct found_file {
	struct timespec time; /* of its last change */
	bool is_last;         /* of those of its time */
	uint64_t inode;
	char *name;
};

/* What a feed looks for: NULL takes all regular files of such a name. */
struct feed_filter {
	bool (*takes_name)(const struct feed *feed, const char *name);
	bool (*takes_file)(const struct feed *feed, const char *name, const struct stat *found);
};

/* The files of a feed's directory as they were found last. */
struct feed_scan {
	DIR *dir;              /* of the scan under way, or NULL */
	struct timespec begun; /* that directory's last change, when the scan began */
	size_t tries;          /* scans before it, during which it changed */
	const struct feed_filter *filter;
	const char *last;         /* the name that is the last one of those of its time; NULL: none is */
	struct found_file *files; /* the oldest ones; in order, after the scan, of which those before `next` are done */
	size_t count, room, next;
	uint64_t waiting; /* files that there were, without those dropped since */
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

	struct feed_files files; /* under way, in the order that they were begun */
	size_t files_count;      /* of them */
	struct feed_file *file;  /* the one that is read, of a tail the last one of them; NULL: none */
	bool is_loaded;          /* `files` are those of the row, of a tail until it is stopped */
	bool moves;              /* a spool: its last step has moved files */
	struct feed_scan scan;
	int64_t skipped_us;          /* a spool: when a file of the scan was passed over; 0: none was */
	bool is_full;                /* it waits for a commit's end */
	bool reloads;                /* mappings have changed: the file is to be closed once its place is on disk */
	struct timespec passed_time; /* a tail: the last change of the file that was stored before `files`, */
	struct buf passed;           /* and those of that very time that were: their inodes, the last one last */
	bool is_between;             /* a tail: the next file is the one after those of `files`, or passed */
	bool is_lost;                /* a tail: the file that the place is in is gone, */
	bool is_cut;                 /* or only it and its copies are looked for */
	bool was_cut;                /* a tail: that which is read; it is left as soon as all before it is stored */
	int64_t still_since_us;      /* a tail: when the file was first seen rotated, with nothing more in it */
	int64_t dirty_us;  /* since when something waits for a commit that is not asked for; 0: nothing does */
	bool has_finished; /* a file has been read to its end since a commit was asked for */
	bool told;         /* the log says what is wrong with it */
	char problem[512]; /* what that is */
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

/* Adds a file to `files` for each place of the feed's row, as it was last made durable; none if there is no row. */
MUST_CHECK int places_load(struct feed *feed, struct error *err);

/* Puts those of all files, as feed_file->storing or else ->stored has them, to last with the next meta_commit; of a tail the last
 * one, and which files of its time were read before. */
MUST_CHECK int places_put(const struct feed *feed, struct error *err);

/* Makes `place` the one that is stored with the next places_put. It is the file's, or one noted of it. */
MUST_CHECK int place_store(struct feed_file *file, const struct place *place, struct error *err);

/* What was put is on disk. */
void places_note_stored(struct feed *feed);

/* Makes the place the stored one again, of which there is one. */
MUST_CHECK int place_take_back(struct feed_file *file, struct error *err);

/* Is the open file the one that the place is in? Its inode may have been given to another since. 1, 0, -1. */
MUST_CHECK int place_is_in(const struct place *place, int fd, const struct stat *stat, const char *path,
                           struct error *err);

/* Has the file not been changed since the place was noted, as far as its time tells? */
bool place_is_of_time(const struct place *place, const struct stat *stat);

/* Was the open file made after the place was noted, as far as its file system tells? */
bool place_is_before(const struct place *place, int fd);

/* Does another one begin with all that is before the place, as a copy does? 1, 0, -1. */
MUST_CHECK int place_is_copied(const struct place *place, int fd, const struct stat *stat, const char *path,
                               struct error *err);

/* Bytes of a file as they were read. */
struct feed_bytes {
	const char *p;
	uint64_t from;
	size_t len;
};

/* Notes what the place is known by: the file's beginning, the bytes before the offset, and its time. What is in `read`, NULL for
 * nothing, is not read again: the file may have been emptied since. */
MUST_CHECK int place_mark(struct place *place, int fd, const struct stat *stat, const struct feed_bytes *read,
                          const char *path, struct error *err);

/* --- feed_file.c --- */

/* One without a place, the last one of `files`; NULL with ERROR_NOMEM. */
MUST_CHECK struct feed_file *feed_file_new(struct feed *feed, struct error *err);

/* Begins or resumes reading `fd`: at the file's place if it is in it, otherwise at its beginning. The descriptor is the
 * file's from now on. */
MUST_CHECK int feed_file_begin(struct feed_file *file, int fd, struct error *err);

/* Full: as much waits for a commit as may, whose end wakes the task. */
enum feed_result { FEED_MORE, FEED_END, FEED_FULL, FEED_FAILED };

/* Reads on until about deadline_us, or to what is now the file's end. */
MUST_CHECK enum feed_result feed_file_read(struct feed_file *file, int64_t deadline_us, struct error *err);

/* Asks for a commit if one is due: at_end, or a while after the last one. */
void feed_commit(struct feed *feed, bool at_end);

/* Why something of it is not stored, as far as is known by now, or NULL. */
const struct error *feed_file_failure(const struct feed_file *file);

/* All of it was read: its last row is complete, and it is closed. The task is woken when all is on disk (has_ended), for which
 * somebody has to ask for a commit. */
void feed_file_finish(struct feed_file *file);

/* Reads no more of it. What is not on disk will be read again: `stored` says from where on. */
void feed_file_stop(struct feed_file *file);
void feed_file_free(struct feed_file *file);

/* Stops all that are read or wait; those of a spool stay if they have a place that is stored, or have ended. */
void feed_stop(struct feed *feed);

/* May the file that is read, of a tail all, be closed without that? Otherwise it asks for a commit, whose end wakes the
 * task (feed->is_full). */
bool feed_is_on_disk(struct feed *feed);

/* --- feed_scan.c --- */

/* Looks for files until about deadline_us, unless some are left that this filter found before: 1 when it is through, 0 if there
 * is more to look at, -1. */
MUST_CHECK int feed_scan_step(struct feed *feed, int directory, const struct feed_filter *filter, int64_t deadline_us,
                              struct error *err);

/* The oldest that was found and is not dropped; NULL: none. */
const struct found_file *feed_scan_next(const struct feed_scan *scan);

/* It is begun, or gone. */
void feed_scan_drop(struct feed_scan *scan);

void feed_scan_end(struct feed_scan *scan);

/* --- spool_end.c --- */

/* Has any file ended that is to be moved now? */
bool spool_has_to_move(const struct feed *feed);

/* Moves those, or, until about deadline_us, prepares some of them for it. One that cannot be moved stays for a while. */
void spool_move(struct feed *feed, int directory, int64_t deadline_us);

/* What is wrong with a file alone is tried again later. */
void spool_file_stick(struct feed_file *file, const struct error *err);
bool spool_file_is_stuck(const struct feed_file *file);

/* --- tail_files.c --- */

/* The files whose end is on disk are passed, as if they were read before; those that have ended are dropped. */
void tail_pass(struct feed *feed);

/* Adds the inodes of those that were read before `file` and have this very time. */
void tail_add_passed(const struct feed_file *file, const struct timespec *time, struct buf *out);

/* Was another file rotated after the one that is open? 1, 0; -1: there is more to look at. */
int tail_is_followed(struct feed *feed, int64_t deadline_us);

/* Begins the file that the place is in or, between files, the one that comes next: 1; 0: there is more to look at; -1, with
 * ERROR_NOT_FOUND if there is none. */
MUST_CHECK int tail_begin_next(struct feed *feed, int64_t deadline_us, struct error *err);

/* --- spool.c, tail.c --- */

/* Closes the file that is read, to be read on from its place. */
void spool_close(struct feed *feed);

/* What the next step has to do; something wakes the task if it waits, or if there is nothing to do and the directory changes. */
enum spool_next { SPOOL_FAILED = -1, SPOOL_MORE, SPOOL_WAITS, SPOOL_NOTHING };

/* A step of the task. */
void spool_step(struct feed *feed, int64_t deadline_us);
void tail_step(struct feed *feed, int64_t deadline_us);

/* --- feeds.c --- */

/* The next step, after a pause of `pause_us`. */
void feed_wake(struct feed *feed, int64_t pause_us);

/* Logs what is wrong, once until it works again. */
void feed_tell(struct feed *feed, const struct error *err);

/* The same, and stops all, to try again after a while. */
void feed_retry(struct feed *feed, const struct error *err);

#endif
