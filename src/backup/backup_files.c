/* SPDX-License-Identifier: ISC */
/*
 * backup_files.c: the files that a backup sends: finds them, copies them into the spool, reads them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "backup/backup_private.h"
#include "backup/folder.h"

#define COPY_NAME "copy"
#define SETTLED_NS INT64_C(2000000000) /* a file changed more recently may change again without a newer time */
#define TRIM_BYTES ((off_t)64 << 20)
#define NS_PER_SECOND INT64_C(1000000000)

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "backup: out of memory");
}

/* --- the spool --- */

int backup_spool_take(struct backup *backup, struct error *err)
{
	const char *path = backup->spool.data;

	if (folder_make(path, true, err) != 0)
		return -1;
	backup->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (backup->lock_fd < 0)
		return error_set_errno(err, errno, "%s: open", path);
	if (flock(backup->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return backup_spool_clear(backup, err);
	return errno == EWOULDBLOCK ? error_set(err, ERROR_CONFLICT, "backup: another one is under way") :
	                              error_set_errno(err, errno, "%s: lock", path);
}

const char *backup_spool_copy(struct backup *backup, struct error *err)
{
	return folder_path(&backup->scratch, backup->spool.data, COPY_NAME, err);
}

int backup_spool_clear(struct backup *backup, struct error *err)
{
	const char *path = backup_spool_copy(backup, err);

	return path ? folder_remove(path, err) : -1;
}

int backup_check_room(struct backup *backup, const char *path, struct error *err)
{
	struct disk_room room;
	struct stat st;

	if (!backup->disk || stat(path, &st) != 0)
		return 0;        /* opening it will report the error */
	disk_look(backup->disk); /* it may have room again since the last second */
	disk_room(backup->disk, &room);
	uint64_t needed = (uint64_t)st.st_blocks * 512;
	if (room.free_bytes >= room.limit_bytes + needed)
		return 0;
	return error_set(err, ERROR_FULL,
	                 "backup: a copy of %s may take %" PRIu64 " bytes in data_dir for a while, where %" PRIu64
	                 " are free and disk_min_free keeps %" PRIu64,
	                 backup->name.data, needed, room.free_bytes, room.limit_bytes);
}

/* --- is a file the same? --- */

int backup_stamp(struct backup *backup, struct error *err)
{
	struct stat st;
	const char *path = folder_path(&backup->scratch, backup->data_dir.data, backup->name.data, err);

	buf_clear(&backup->stamp);
	if (!path)
		return -1;
	if (stat(path, &st) != 0)
		return errno == ENOENT ? error_set(err, ERROR_NOT_FOUND, "%s: is gone", path) :
		                         error_set_errno(err, errno, "%s", path);
	int64_t changed_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SECOND + st.st_mtim.tv_nsec;
	if (clock_now_us() * 1000 - changed_ns < SETTLED_NS)
		return 0;
	buf_addf(&backup->stamp, "file %s %ju %ju %jd %" PRId64, backup->name.data, (uintmax_t)st.st_dev,
	         (uintmax_t)st.st_ino, (intmax_t)st.st_size, changed_ns);
	return backup->stamp.failed ? no_memory(err) : 0;
}

/* --- reading --- */

int backup_open_own(struct backup *backup, struct error *err)
{
	const char *path = folder_path(&backup->scratch, backup->data_dir.data, backup->name.data, err);

	if (!path)
		return -1;
	backup->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (backup->fd >= 0)
		return 1;
	return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s: open", path);
}

int backup_open_copy(struct backup *backup, struct error *err)
{
	struct buf path = { 0 };
	const char *copy = backup_spool_copy(backup, err);
	const char *file = copy ? folder_path(&path, copy, "data.mdb", err) : NULL;
	int result = -1;

	if (file && (backup->fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error_set_errno(err, errno, "%s: open", file);
	else if (file)
		result = backup_spool_clear(backup, err);
	buf_free(&path);
	return result;
}

int backup_read_piece(struct backup *backup, struct str *data, struct error *err)
{
	ssize_t got;

	do
		got = read(backup->fd, backup->piece, sizeof(backup->piece));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_set_errno(err, errno, "%s: read", backup->name.data);
	*data = (struct str){ backup->piece, (size_t)got };
	backup->counts.bytes += (uint64_t)got;
	return got > 0;
}

int backup_trim_copy(struct backup *backup, struct error *err)
{
	off_t end = lseek(backup->fd, 0, SEEK_END);
	off_t rest = end > TRIM_BYTES ? end - TRIM_BYTES : 0;

	if (end < 0 || ftruncate(backup->fd, rest) != 0)
		return error_set_errno(err, errno, "%s: trim", backup->name.data);
	return rest > 0;
}

/* --- report files --- */

static bool take_report(void *arg, const struct report *report)
{
	struct backup *backup = arg;

	if (report->has_file && report_state_ended(report->state))
		buf_add(&backup->report_ids, report->file_id, sizeof(report->file_id));
	return true;
}

int backup_list_reports(struct backup *backup, struct error *err)
{
	buf_clear(&backup->report_ids);
	backup->report = 0;
	if (reports_each(backup->reports, NULL, INT64_MIN, INT64_MAX, take_report, backup, err) != 0)
		return -1;
	return backup->report_ids.failed ? no_memory(err) : 0;
}
