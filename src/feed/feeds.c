/* SPDX-License-Identifier: ISC */
/*
 * feeds.c: the feeds that the settings name, and what wakes them: inotify, a mapping's change, time. See feed.h.
 *
 *	spool = DIR mapping=NAME [account_id=ID] [time_zone=ZONE] ... | DIR ...
 *	tail = FILE mapping=NAME ... | FILE ...
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "feed/feed_private.h"
#include "record/source_list.h"

#define CHUNK_ROOM ((size_t)64 << 10)
#define EVENTS_ROOM 16384
#define WATCHED (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE)

/* --- settings --- */

/* Gets each feed of a setting's value. */
struct feed_reader {
	char path[FEED_PATH_MAX + 1];
	int (*fn)(void *arg, const char *path, const struct ingest_settings *settings, struct error *err);
	void *arg;
};

static int on_path(void *arg, struct str path, struct error *err)
{
	struct feed_reader *reader = arg;

	if (path.len == 0 || path.p[0] != '/' || path.len > FEED_PATH_MAX)
		return error_set(err, ERROR_INVALID, "\"%.*s\": must begin with an absolute path, of at most %d bytes",
		                 (int)(path.len < 64 ? path.len : 64), path.p, FEED_PATH_MAX);
	memcpy(reader->path, path.p, path.len);
	reader->path[path.len] = '\0';
	return 0;
}

static int on_feed(void *arg, const struct ingest_settings *settings, struct error *err)
{
	struct feed_reader *reader = arg;

	if (!settings->mapping[0])
		return error_set(err, ERROR_INVALID, "%s: needs mapping=NAME", reader->path);
	return reader->fn ? reader->fn(reader->arg, reader->path, settings, err) : 0;
}

/* Calls reader->fn, unless NULL, for each. */
static int each_feed(const char *text, struct feed_reader *reader, struct error *err)
{
	static const struct source_reader source_reader = { .begin = on_path, .end = on_feed };

	return sources_read(text, &source_reader, reader, err);
}

struct checking {
	const char *text; /* of the setting */
	const char *path;
	size_t count; /* of feeds that have it */
};

static int count_path(void *arg, const char *path, const struct ingest_settings *settings, struct error *err)
{
	struct checking *checking = arg;

	(void)settings;
	(void)err;
	checking->count += strcmp(path, checking->path) == 0;
	return 0;
}

/* The place of a feed is stored by its path. */
static int check_path(void *arg, const char *path, const struct ingest_settings *settings, struct error *err)
{
	struct checking checking = { .text = arg, .path = path };
	struct feed_reader reader = { .fn = count_path, .arg = &checking };

	(void)settings;
	if (each_feed(checking.text, &reader, err) != 0)
		return 0; /* this is told where it comes */
	return checking.count == 1 ? 0 : error_set(err, ERROR_INVALID, "%s: must be there once", path);
}

int feeds_check(const char *key, const char *text, struct error *err)
{
	struct feed_reader reader = { .fn = check_path, .arg = (void *)(uintptr_t)text };
	struct error why;

	if (each_feed(text, &reader, &why) == 0)
		return 0;
	return error_set(err, ERROR_INVALID, "%s: %s", key, why.message);
}

/* --- work --- */

void feed_wake(struct feed *feed, int64_t pause_us)
{
	struct error err;

	/* The daemon's own tasks need no memory. */
	if (pause_us > 0)
		MAY_FAIL(task_start_in(&feed->task, pause_us, &err));
	else
		MAY_FAIL(task_start(&feed->task, &err));
}

void feed_tell(struct feed *feed, const struct error *err)
{
	if (!feed->told)
		log_error("feed", "%s: %s; trying again", feed->path, err->message);
	str_cut(feed->problem, sizeof(feed->problem), err->message);
	feed->told = true;
}

void feed_retry(struct feed *feed, const struct error *err)
{
	feed_tell(feed, err);
	feed_stop(feed);
	feed_wake(feed, err->code == ERROR_UNAVAILABLE ? FEED_FULL_US : FEED_RETRY_US);
}

/* The file is read on by the new mappings. */
static void reload(struct feed *feed)
{
	if (feed->kind == FEED_TAIL)
		feed_stop(feed);
	else if (feed->file)
		spool_close(feed);
	feed->reloads = false;
}

static void on_step(void *arg, int64_t deadline_us)
{
	struct feed *feed = arg;

	task_cancel(&feed->task);
	feed->is_full = false;
	if (feed->kind == FEED_TAIL)
		tail_pass(feed);
	if (feed->reloads && !feed_is_on_disk(feed))
		return;
	if (feed->reloads)
		reload(feed);
	if (feed->kind == FEED_SPOOL)
		spool_step(feed, deadline_us);
	else
		tail_step(feed, deadline_us);
}

/* Is all that was put before the place still there? A batch may have failed after it, for instance for want of disk, and has
 * dropped what was rejected of it then. */
static bool place_holds(const struct feed_file *file)
{
	const struct ingest *ingest = file->feed->feeds->ingest;

	if (ingest_batch_has_failed(file->batch))
		return false;
	return !ingest_batch_is_over(file->batch) || file->losses == ingest_losses(ingest);
}

/* Is something of the file not stored, and will not be? A tail's place cannot be in a file after it. */
static bool is_lost(const struct feed_file *file)
{
	return feed_file_failure(file) || (file->batch && !place_holds(file));
}

static void note_places(const struct feed *feed)
{
	struct feed_file *file;
	bool may_note = true;

	TAILQ_FOREACH(file, &feed->files, link) {
		if (file->storing.len > 0) { /* the commit before has failed */
			buf_free(&file->storing);
			file->dirty |= file->batch != NULL;
		}
		may_note = may_note && !(feed->kind == FEED_TAIL && is_lost(file));
		file->has_noted = may_note && file->dirty && file->batch && place_holds(file);
		if (!file->has_noted)
			continue;
		file->noted = file->place;
		file->moved_on = false;
	}
}

/* A commit begins: what it decides about is all that is before the places of now. */
static void on_begin(void *arg)
{
	const struct feeds *feeds = arg;
	const struct feed *feed;

	LIST_FOREACH(feed, &feeds->list, link)
		note_places(feed);
}

static int store_noted(struct feed_file *file, struct error *err)
{
	struct ingest_summary now = { 0 };

	ingest_batch_decided(file->batch, &now);
	file->place.counts = file->noted.counts = (struct ingest_summary){
		.accepted = file->before.accepted + now.accepted,
		.updated = file->before.updated + now.updated,
		.duplicates = file->before.duplicates + now.duplicates,
		.outdated = file->before.outdated + now.outdated,
		.rejected = file->before.rejected + now.rejected,
	};
	if (place_store(file, &file->noted, err) != 0)
		return -1;
	file->has_noted = false;
	file->dirty = file->moved_on;
	return 0;
}

/* One of a tail's is not stored as a whole: those after it will be read again, so that nothing of them may go to quarantine. */
static void stop_after(struct feed_file *file)
{
	feed_wake(file->feed, 0);
	while ((file = TAILQ_NEXT(file, link)))
		feed_file_stop(file);
}

static int store_places(struct feed *feed, struct error *err)
{
	struct feed_file *file;
	bool any = false;

	TAILQ_FOREACH(file, &feed->files, link) {
		bool has_failed = feed_file_failure(file);

		if (has_failed && feed->kind == FEED_TAIL) {
			stop_after(file);
			break;
		}
		if (!file->has_noted || !file->batch || has_failed)
			continue;
		if (store_noted(file, err) != 0)
			return -1;
		any = true;
	}
	return any ? places_put(feed, err) : 0;
}

/* The records before the places are on disk. What was rejected of them is held, unless its batch has failed since: one that
 * the store rejected meanwhile may not be. */
static int on_stored(void *arg, struct error *err)
{
	struct feeds *feeds = arg;
	struct feed *feed;

	LIST_FOREACH(feed, &feeds->list, link)
		if (store_places(feed, err) != 0)
			return -1;
	return 0;
}

/* Those that wait for it go on. */
static void on_commit(void *arg)
{
	const struct feeds *feeds = arg;
	struct feed *feed;

	LIST_FOREACH(feed, &feeds->list, link) {
		places_note_stored(feed);
		if (feed->is_full)
			feed_wake(feed, 0);
	}
}

/* --- inotify --- */

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char events[EVENTS_ROOM];
	struct feeds *feeds = arg;
	struct feed *feed;
	ssize_t len = read(fd, events, sizeof(events));

	(void)what;
	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);

		LIST_FOREACH(feed, &feeds->list, link)
			if ((event->mask & IN_Q_OVERFLOW) || event->wd == feed->watch) {
				feed->scan.changed |= (event->mask & ~(uint32_t)IN_MODIFY) != 0;
				feed_wake(feed, 0);
			}
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* Watches the directory that a feed is in. Where that fails, a look now and then must do. */
static void watch(struct feed *feed)
{
	char directory[FEED_PATH_MAX + 1];
	char *slash;

	memcpy(directory, feed->path, sizeof(directory));
	slash = strrchr(directory, '/');
	if (feed->kind == FEED_TAIL)
		slash[slash == directory] = '\0';
	feed->watch = inotify_add_watch(feed->feeds->inotify_fd, directory, WATCHED);
	if (feed->watch < 0)
		log_warn("feed", "%s: cannot be watched: %s; it is looked at every few seconds instead", directory,
		         strerror(errno));
}

/* --- up and down --- */

struct adding {
	struct feeds *feeds;
	enum feed_kind kind;
};

static int add_feed(void *arg, const char *path, const struct ingest_settings *settings, struct error *err)
{
	const struct adding *adding = arg;
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return error_set(err, ERROR_NOMEM, "feeds: out of memory");
	feed->feeds = adding->feeds;
	feed->kind = adding->kind;
	TAILQ_INIT(&feed->files);
	feed->settings = *settings;
	snprintf(feed->path, sizeof(feed->path), "%s", path);
	task_init(&feed->task, feed->feeds->tasks, "", TASK_ADMIN, on_step, feed);
	LIST_INSERT_HEAD(&feed->feeds->list, feed, link);
	watch(feed);
	feed_wake(feed, 0);
	return 0;
}

static int add_all(struct feeds *feeds, struct error *err)
{
	struct adding spools = { feeds, FEED_SPOOL }, tails = { feeds, FEED_TAIL };
	struct feed_reader of_spool = { .fn = add_feed, .arg = &spools }, of_tail = { .fn = add_feed, .arg = &tails };

	return each_feed(feeds->config->spool, &of_spool, err) == 0 ? each_feed(feeds->config->tail, &of_tail, err) :
	                                                              -1;
}

static int begin(struct feeds *feeds, struct error *err)
{
	feeds->chunk = malloc(CHUNK_ROOM);
	feeds->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (feeds->inotify_fd < 0)
		return error_set_errno(err, errno, "inotify");
	feeds->inotify_event =
		event_new(tasks_base(feeds->tasks), feeds->inotify_fd, EV_READ | EV_PERSIST, on_inotify, feeds);
	if (!feeds->chunk || !feeds->inotify_event || event_add(feeds->inotify_event, NULL) != 0)
		return error_set(err, ERROR_NOMEM, "feeds: out of memory");
	feeds->watch = (struct ingest_watch){
		.on_begin = on_begin, .on_stored = on_stored, .on_commit = on_commit, .arg = feeds
	};
	ingest_watch_commits(feeds->ingest, &feeds->watch);
	return add_all(feeds, err);
}

struct feeds *feeds_new(struct tasks *tasks, const struct config *config, struct meta *meta, struct ingest *ingest,
                        struct error *err)
{
	struct feeds *feeds = calloc(1, sizeof(*feeds));

	if (!feeds) {
		error_set(err, ERROR_NOMEM, "feeds: out of memory");
		return NULL;
	}
	feeds->tasks = tasks;
	feeds->config = config;
	feeds->meta = meta;
	feeds->ingest = ingest;
	feeds->inotify_fd = -1;
	LIST_INIT(&feeds->list);
	if (begin(feeds, err) == 0)
		return feeds;
	feeds_free(feeds);
	return NULL;
}

void feeds_reload(struct feeds *feeds)
{
	struct feed *feed;

	LIST_FOREACH(feed, &feeds->list, link) {
		feed->told = false;
		feed->reloads = true;
		feed_wake(feed, 0);
	}
}

void feeds_free(struct feeds *feeds)
{
	struct feed *feed;
	struct feed_file *file;

	if (!feeds)
		return;
	while ((feed = LIST_FIRST(&feeds->list))) {
		LIST_REMOVE(feed, link);
		feed_stop(feed);
		while ((file = TAILQ_FIRST(&feed->files)))
			feed_file_free(file);
		task_cancel(&feed->task);
		feed_scan_end(&feed->scan);
		buf_free(&feed->passed);
		free(feed);
	}
	ingest_unwatch_commits(feeds->ingest, &feeds->watch);
	if (feeds->inotify_event)
		event_free(feeds->inotify_event);
	if (feeds->inotify_fd >= 0)
		close(feeds->inotify_fd);
	free(feeds->chunk);
	free(feeds);
}

static void get_status(const struct feed *feed, struct feed_status *status)
{
	bool is_spool = feed->kind == FEED_SPOOL;
	const struct feed_file *file = feed->file ? feed->file : TAILQ_FIRST(&feed->files);
	struct stat now;

	*status = (struct feed_status){
		.kind = is_spool ? "spool" : "tail",
		.path = feed->path,
		.mapping = feed->settings.mapping,
		.file = is_spool && file ? file->place.name : "",
		.problem = feed->told ? feed->problem : "",
		.waiting = is_spool ? feed->scan.waiting + feed->files_count : 0,
	};
	if (!file)
		return;
	status->place = file->place.offset;
	status->records = file->place.counts;
	if (file->fd >= 0 && fstat(file->fd, &now) == 0 && (uint64_t)now.st_size > file->place.offset)
		status->unread = (uint64_t)now.st_size - file->place.offset;
}

void feeds_each(const struct feeds *feeds, void (*fn)(void *arg, const struct feed_status *status), void *arg)
{
	const struct feed *feed;
	struct feed_status status;

	LIST_FOREACH(feed, &feeds->list, link) {
		get_status(feed, &status);
		fn(arg, &status);
	}
}
