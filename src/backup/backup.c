/* SPDX-License-Identifier: ISC */
/*
 * backup.c: which file of a backup is next, and how it is sent. See backup.h.
 */
#include "backup/backup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "backup/backup_private.h"
#include "backup/folder.h"
#include "meta/meta.h"
#include "store/hot_backup.h"

#define LAST "last_backup" /* the time's name in the catalog */
#define MODE 0640u
#define MODE_KEY 0600u

/* Files of the data directory, copied unchanged. The moves come after all days: see store_keep_moves. */
static const char *const keys[] = { "moves", "cursor.key", "erased.key", "destination.key" };
#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* --- its life --- */

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "backup: out of memory");
}

struct backup *backup_new(struct store *store, struct reports *reports, struct disk *disk, const char *data_dir,
                          struct error *err)
{
	size_t count;
	struct backup *backup = calloc(1, sizeof(*backup));

	if (!backup) {
		no_memory(err);
		return NULL;
	}
	backup->store = store;
	backup->reports = reports;
	backup->disk = disk;
	backup->lock_fd = backup->fd = -1;
	backup->day = INT32_MIN;
	buf_add_text(&backup->data_dir, data_dir);
	buf_addf(&backup->spool, "%s/backup.part", data_dir);
	store_days(store, &count);
	backup->counts.days_total = count;
	if (!buf_cstr(&backup->data_dir) || !buf_cstr(&backup->spool))
		no_memory(err);
	else if (backup_spool_take(backup, err) == 0) {
		backup->keeps_moves = true;
		store_keep_moves(store, true);
		return backup;
	}
	backup_free(backup);
	return NULL;
}

static void close_file(struct backup *backup)
{
	if (backup->fd >= 0)
		close(backup->fd);
	backup->fd = -1;
}

void backup_free(struct backup *backup)
{
	struct error err;

	if (!backup)
		return;
	struct buf *const bufs[] = { &backup->data_dir, &backup->spool, &backup->report_ids,
		                     &backup->name,     &backup->stamp, &backup->scratch };
	if (backup->phase == BACKUP_PHASE_COPYING) {
		hot_backup_forget(backup->store);
		if (backup_spool_clear(backup, &err) != 0)
			log_warn("backup", "%s", err.message);
	}
	if (backup->keeps_moves)
		store_keep_moves(backup->store, false);
	close_file(backup);
	if (backup->lock_fd >= 0)
		close(backup->lock_fd);
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_free(bufs[i]);
	free(backup);
}

void backup_counts(const struct backup *backup, struct backup_counts *counts)
{
	*counts = backup->counts;
}

/* --- the next file --- */

static int set_name(struct backup *backup, const char *directory, const char *name, unsigned mode, struct error *err)
{
	buf_clear(&backup->name);
	buf_addf(&backup->name, "%s%s", directory, name);
	backup->mode = mode;
	buf_clear(&backup->stamp);
	return buf_cstr(&backup->name) ? 1 : no_memory(err);
}

/* The functions that find one: 1 with its name and stamp, 0 if the stage has no more, -1. */

static int find_day(struct backup *backup, struct error *err)
{
	for (;;) {
		struct buf text = { 0 };
		size_t count, at = 0;
		const int32_t *days = store_days(backup->store, &count);

		while (at < count && days[at] < backup->day)
			at++;
		if (at == count)
			return 0;
		backup->day = days[at];
		clock_format_day(&text, backup->day);
		buf_add_text(&text, "/data.mdb");
		int result = buf_cstr(&text) ? set_name(backup, "days/", text.data, MODE, err) : no_memory(err);
		buf_free(&text);
		if (result < 0 || backup_stamp(backup, err) == 0)
			return result;
		if (err->code != ERROR_NOT_FOUND)
			return -1;
		backup->day++;
		backup->counts.days_done++;
	}
}

static int find_catalog(struct backup *backup, struct error *err)
{
	return set_name(backup, "", "catalog/data.mdb", MODE, err);
}

static int find_key(struct backup *backup, struct error *err)
{
	return backup->key < KEYS ? set_name(backup, "", keys[backup->key++], MODE_KEY, err) : 0;
}

static int find_report(struct backup *backup, struct error *err)
{
	if (!backup->reports_listed && backup_list_reports(backup, err) != 0)
		return -1;
	backup->reports_listed = true;
	while (backup->report < backup->report_ids.len / (ID_UUID_LEN + 1)) {
		size_t at = backup->report++ * (ID_UUID_LEN + 1);

		if (set_name(backup, "reports/", backup->report_ids.data + at, MODE, err) < 0)
			return -1;
		if (backup_stamp(backup, err) == 0)
			return 1;
		if (err->code != ERROR_NOT_FOUND)
			return -1; /* otherwise it has expired meanwhile */
	}
	return 0;
}

/* The current file is done, sent or not. */
static void end_file(struct backup *backup, bool sent)
{
	close_file(backup);
	backup->phase = BACKUP_PHASE_NONE;
	if (backup->stage == BACKUP_STAGE_DAYS) {
		backup->counts.days_sent += sent;
		backup->counts.days_kept += !sent;
		backup->counts.days_done++;
		backup->day++;
	} else if (backup->stage == BACKUP_STAGE_CATALOG) {
		backup->stage = BACKUP_STAGE_KEYS;
	} else if (backup->stage == BACKUP_STAGE_REPORTS) {
		backup->counts.report_files++;
	}
}

static enum backup_event offer_next(struct backup *backup, struct backup_item *item, struct error *err)
{
	static int (*const finders[])(struct backup *, struct error *) = {
		[BACKUP_STAGE_DAYS] = find_day,
		[BACKUP_STAGE_CATALOG] = find_catalog,
		[BACKUP_STAGE_KEYS] = find_key,
		[BACKUP_STAGE_REPORTS] = find_report,
	};

	if (backup->stage == BACKUP_STAGE_END)
		return BACKUP_END;
	int found = finders[backup->stage](backup, err);
	if (found < 0)
		return BACKUP_FAILED;
	if (!found) {
		backup->stage++;
		return BACKUP_BUSY;
	}
	*item = (struct backup_item){ backup->name.data, backup->mode, buf_str(&backup->stamp), { NULL, 0 } };
	backup->phase = BACKUP_PHASE_OFFERED;
	return BACKUP_OFFER;
}

void backup_answer(struct backup *backup, bool wanted)
{
	if (backup->phase != BACKUP_PHASE_OFFERED)
		return;
	if (wanted)
		backup->phase = BACKUP_PHASE_WANTED;
	else
		end_file(backup, false);
}

/* --- sending it --- */

static enum backup_event gone(struct backup *backup)
{
	end_file(backup, false);
	return BACKUP_FILE_GONE;
}

/* Environments are copied first. */
static enum backup_event begin_file(struct backup *backup, struct error *err)
{
	bool is_day = backup->stage == BACKUP_STAGE_DAYS;

	if (!is_day && backup->stage != BACKUP_STAGE_CATALOG) {
		int opened = backup_open_own(backup, err);

		if (opened > 0)
			backup->phase = BACKUP_PHASE_READING;
		return opened < 0 ? BACKUP_FAILED : opened == 0 ? gone(backup) : BACKUP_BUSY;
	}
	const char *path = folder_path(&backup->scratch, backup->data_dir.data, backup->name.data, err);
	if (!path || backup_check_room(backup, path, err) != 0)
		return BACKUP_FAILED;
	path = backup_spool_copy(backup, err);
	if (path && hot_backup_begin(backup->store, is_day ? &backup->day : NULL, path, err) == 0)
		backup->phase = BACKUP_PHASE_COPYING;
	else if (path && is_day && err->code == ERROR_NOT_FOUND)
		return gone(backup);
	else
		return BACKUP_FAILED;
	return BACKUP_BUSY;
}

static enum backup_event step_copy(struct backup *backup, int64_t deadline_us, struct error *err)
{
	bool copied;

	if (hot_backup_step(backup->store, deadline_us, &copied, err) != 0) {
		struct error ignored;
		bool was_removed = backup->stage == BACKUP_STAGE_DAYS && err->code == ERROR_NOT_FOUND;

		backup->phase = BACKUP_PHASE_NONE;
		return backup_spool_clear(backup, was_removed ? err : &ignored) == 0 && was_removed ? gone(backup) :
		                                                                                      BACKUP_FAILED;
	}
	if (!copied)
		return BACKUP_BUSY;
	if (backup_open_copy(backup, err) != 0)
		return BACKUP_FAILED;
	backup->phase = BACKUP_PHASE_READING;
	return BACKUP_BUSY;
}

static enum backup_event give_piece(struct backup *backup, struct backup_item *item, struct error *err)
{
	int got = backup_read_piece(backup, &item->data, err);

	if (got > 0)
		return BACKUP_DATA;
	if (got < 0)
		return BACKUP_FAILED;
	if (backup->stage <= BACKUP_STAGE_CATALOG) {
		backup->phase = BACKUP_PHASE_TRIMMING;
		return BACKUP_BUSY;
	}
	end_file(backup, true);
	return BACKUP_FILE_END;
}

static enum backup_event trim(struct backup *backup, struct error *err)
{
	int more = backup_trim_copy(backup, err);

	if (more == 0)
		end_file(backup, true);
	return more < 0 ? BACKUP_FAILED : more ? BACKUP_BUSY : BACKUP_FILE_END;
}

enum backup_event backup_step(struct backup *backup, int64_t deadline_us, struct backup_item *item, struct error *err)
{
	enum backup_event event = BACKUP_BUSY;

	do {
		switch (backup->phase) {
		case BACKUP_PHASE_NONE:
			event = offer_next(backup, item, err);
			break;
		case BACKUP_PHASE_OFFERED:
			return BACKUP_BUSY;
		case BACKUP_PHASE_WANTED:
			event = begin_file(backup, err);
			break;
		case BACKUP_PHASE_COPYING:
			event = step_copy(backup, deadline_us, err);
			break;
		case BACKUP_PHASE_READING:
			event = give_piece(backup, item, err);
			break;
		case BACKUP_PHASE_TRIMMING:
			event = trim(backup, err);
			break;
		}
	} while (event == BACKUP_BUSY && clock_monotonic_us() < deadline_us);
	return event;
}

/* --- the last one --- */

int backup_last_us(struct meta *meta, int64_t *time_us, struct error *err)
{
	uint64_t number;

	if (meta_get_number(meta, LAST, &number, err) != 0)
		return -1;
	*time_us = (int64_t)number;
	return 0;
}

int backup_note_last(struct meta *meta, int64_t time_us, struct error *err)
{
	return meta_set_number(meta, LAST, (uint64_t)time_us, err);
}
