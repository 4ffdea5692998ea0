/* SPDX-License-Identifier: ISC */
/*
 * backup_dir.c: a backup's life in its directory. See backup_dir.h; the files are backup_dir_files.c's.
 */
#include "backup/backup_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "backup/backup_dir_private.h"
#include "backup/folder.h"

#define LIST_BYTES_MAX ((size_t)256 << 20)

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "backup: out of memory");
}

/* --- where --- */

/* Resolves links and dots; the last part need not exist yet. */
static int resolve(const char *dir, struct buf *out, struct error *err)
{
	char path[PATH_MAX], real[PATH_MAX];
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof(path))
		return error_set(err, ERROR_INVALID, "DIR \"%.200s\": must have 1 to %zu bytes", dir, sizeof(path) - 1);
	memcpy(path, dir, len);
	path[len] = '\0';
	if (realpath(path, real)) {
		buf_add_text(out, real);
		return buf_cstr(out) ? 0 : no_memory(err);
	}
	if (errno != ENOENT)
		return error_set_errno(err, errno, "DIR \"%s\"", path);
	char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path, *parent = !slash ? "." : slash == path ? "/" : path;
	buf_addf(out, "/%s", last);
	if (slash)
		*slash = '\0';
	if (!realpath(*parent ? parent : "/", real))
		return error_set_errno(err, errno, "DIR \"%s\"", dir);
	buf_clear(out);
	buf_addf(out, "%s/%s", strcmp(real, "/") == 0 ? "" : real, dir + (last - path));
	while (out->len > 1 && out->data[out->len - 1] == '/')
		out->len--;
	return buf_cstr(out) ? 0 : no_memory(err);
}

static int check_dir(const char *dir, const char *data_dir, struct error *err)
{
	size_t len = strlen(data_dir);

	/* NOLINTNEXTLINE(-Wanalyzer-null-argument): resolve() has filled it in. */
	if (len > 0 && strncmp(dir, data_dir, len) == 0 && (dir[len] == '/' || dir[len] == '\0'))
		return error_set(err, ERROR_INVALID, "DIR \"%s\": lies in data_dir", dir);
	return 0;
}

static int take_lock(struct backup_dir *backup, struct error *err)
{
	const char *path = folder_path(&backup->scratch, backup->dir.data, "lock", err);

	if (!path)
		return -1;
	backup->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (backup->lock_fd < 0)
		return error_set_errno(err, errno, "%s: open", path);
	if (flock(backup->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ?
	               error_set(err, ERROR_CONFLICT, "%s: a backup is being made there", backup->dir.data) :
	               error_set_errno(err, errno, "%s: lock", path);
}

/* --- what is there already --- */

static int remove_part(void *arg, const char *name, struct error *err)
{
	struct backup_dir *backup = arg;

	if (!folder_is_part(name))
		return 0;
	const char *path = folder_path(&backup->scratch, backup->dir.data, name, err);
	return path ? folder_remove(path, err) : -1;
}

static int load_previous(struct backup_dir *backup, struct error *err)
{
	struct buf name = { 0 };
	struct error ignored;
	int found = folder_newest(backup->dir.data, &name, err);

	if (found > 0) {
		buf_addf(&backup->previous, "%s/%s", backup->dir.data, name.data);
		const char *sums = buf_cstr(&backup->previous) ?
		                           folder_path(&backup->scratch, backup->previous.data, SUMS_NAME, err) :
		                           NULL;
		const char *about =
			sums ? folder_path(&backup->scratch_to, backup->previous.data, BACKUP_NAME, err) : NULL;
		if (!about)
			found = -1;
		/* An unreadable one is ignored. */
		else if (folder_read(sums, LIST_BYTES_MAX, &backup->previous_sums, &ignored) != 0 ||
		         folder_read(about, LIST_BYTES_MAX, &backup->previous_about, &ignored) != 0)
			buf_clear(&backup->previous);
	}
	buf_free(&name);
	return found < 0 ? -1 : 0;
}

/* --- its life --- */

static int make_part(struct backup_dir *backup, const char *version, struct error *err)
{
	int64_t now_us = clock_now_us();

	buf_addf(&backup->path, "%s/", backup->dir.data);
	folder_add_name(&backup->path, now_us);
	buf_add_str(&backup->part, buf_str(&backup->path));
	buf_add_text(&backup->part, ".part");
	if (!buf_cstr(&backup->path) || !buf_cstr(&backup->part))
		return no_memory(err);
	buf_addf(&backup->about, "format %d\nversion %s\nbegun ", BACKUP_FORMAT, version);
	clock_format_record(&backup->about, now_us);
	buf_add_char(&backup->about, '\n');
	if (folder_make(backup->part.data, false, err) != 0) {
		buf_clear(&backup->part);
		return -1;
	}
	for (size_t i = 0; backup_dir_folders[i]; i++) {
		const char *path = backup_dir_part_path(backup, backup_dir_folders[i], err);

		if (!path || folder_make(path, false, err) != 0)
			return -1;
	}
	return 0;
}

static int begin(struct backup_dir *backup, const char *dir, const char *data_dir, const char *version,
                 struct error *err)
{
	if (resolve(dir, &backup->dir, err) != 0 || check_dir(backup->dir.data, data_dir, err) != 0 ||
	    folder_make(backup->dir.data, true, err) != 0 || take_lock(backup, err) != 0 ||
	    folder_each(backup->dir.data, remove_part, backup, err) != 0 || load_previous(backup, err) != 0)
		return -1;
	return make_part(backup, version, err);
}

struct backup_dir *backup_dir_new(const char *dir, const char *data_dir, const char *version, struct error *err)
{
	struct backup_dir *backup = calloc(1, sizeof(*backup));

	if (!backup) {
		no_memory(err);
		return NULL;
	}
	backup->lock_fd = -1;
	if (begin(backup, dir, data_dir, version, err) == 0)
		return backup;
	backup_dir_free(backup);
	return NULL;
}

void backup_dir_free(struct backup_dir *backup)
{
	if (!backup)
		return;
	struct buf *const bufs[] = { &backup->dir,      &backup->part,          &backup->path,
		                     &backup->previous, &backup->previous_sums, &backup->previous_about,
		                     &backup->sums,     &backup->about,         &backup->name,
		                     &backup->stamp,    &backup->scratch,       &backup->scratch_to };
	struct error ignored; /* the next one removes it */
	sums_file_end(&backup->file);
	if (backup->part.len && !backup->finished)
		MAY_FAIL(folder_remove(backup->part.data, &ignored));
	if (backup->lock_fd >= 0)
		close(backup->lock_fd);
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_free(bufs[i]);
	free(backup);
}

void backup_dir_counts(const struct backup_dir *backup, struct backup_dir_counts *counts)
{
	*counts = backup->counts;
	counts->bytes += backup->file.hash ? backup->file.bytes : 0;
}

const char *backup_dir_path(const struct backup_dir *backup)
{
	return backup->path.data;
}

/* --- older ones --- */

struct oldest {
	const char *own; /* which stays, whatever the clock has named the others */
	uint64_t count;
	struct buf name;
};

static int take_oldest(void *arg, const char *name, struct error *err)
{
	struct oldest *oldest = arg;

	if (!folder_is_backup(name))
		return 0;
	oldest->count++;
	if (strcmp(name, oldest->own) == 0 ||
	    (oldest->name.len && !folder_is_older(name, oldest->name.data, oldest->own)))
		return 0;
	buf_clear(&oldest->name);
	buf_add_text(&oldest->name, name);
	return buf_cstr(&oldest->name) ? 0 : no_memory(err);
}

/* An interrupted removal must not look like a complete backup: the list goes first. */
static int remove_backup(struct backup_dir *backup, const char *name, struct error *err)
{
	const char *path = folder_path(&backup->scratch, backup->dir.data, name, err);
	const char *list = path ? folder_path(&backup->scratch_to, path, SUMS_NAME, err) : NULL;

	if (!list)
		return -1;
	if (unlink(list) != 0 && errno != ENOENT)
		return error_set_errno(err, errno, "%s: remove", list);
	if (directory_sync(path, err) != 0 || folder_remove(path, err) != 0)
		return -1;
	backup->counts.removed++;
	return 0;
}

static int prune(struct backup_dir *backup, uint64_t keep, struct error *err)
{
	int result = 0;
	bool more = keep > 0;

	while (more && result == 0) {
		struct oldest oldest = { .own = strrchr(backup->path.data, '/') + 1 };

		result = folder_each(backup->dir.data, take_oldest, &oldest, err);
		more = result == 0 && oldest.count > keep && oldest.name.len > 0;
		if (more)
			result = remove_backup(backup, oldest.name.data, err);
		buf_free(&oldest.name);
	}
	return result;
}

int backup_dir_finish(struct backup_dir *backup, uint64_t keep, struct error *err)
{
	if (backup_dir_write_list(backup, err) != 0)
		return -1;
	if (rename(backup->part.data, backup->path.data) != 0)
		return error_set_errno(err, errno, "%s: rename", backup->part.data);
	backup->finished = true;
	return directory_sync(backup->dir.data, err) == 0 ? prune(backup, keep, err) : -1;
}
