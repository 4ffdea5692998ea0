/* SPDX-License-Identifier: ISC */
/*
 * backup_dir_files.c: a backup's files: linked, written, and their list.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/backup_dir_private.h"
#include "backup/folder.h"
#include "base/directory.h"

const char *const backup_dir_folders[] = { "days", "catalog", "reports", NULL };

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "backup: out of memory");
}

const char *backup_dir_part_path(struct backup_dir *backup, const char *name, struct error *err)
{
	return folder_path(&backup->scratch, backup->part.data, name, err);
}

static bool begins(struct str text, const char *start)
{
	return text.len >= strlen(start) && memcmp(text.p, start, strlen(start)) == 0;
}

/* --- one file --- */

/* The directory of a day is made with its file. */
static int take_name(struct backup_dir *backup, struct str name, struct str stamp, struct error *err)
{
	if (!sums_is_inside(name))
		return error_set(err, ERROR_INVALID, "backup: \"%.*s\": no name of a file in it",
		                 (int)(name.len < 200 ? name.len : 200), name.p);
	buf_clear(&backup->name);
	buf_add_str(&backup->name, name);
	buf_clear(&backup->stamp);
	buf_add_str(&backup->stamp, stamp);
	if (!buf_cstr(&backup->name) || backup->stamp.failed)
		return no_memory(err);
	if (!begins(name, "days/"))
		return 0;
	const char *path = backup_dir_part_path(backup, backup->name.data, err);
	char *slash = path ? strrchr(backup->scratch.data, '/') : NULL;
	if (!slash)
		return -1;
	*slash = '\0';
	return folder_make(path, true, err);
}

/* A day's directory is synced with what is in it. */
static int note_file(struct backup_dir *backup, const char *hex, bool linked, struct error *err)
{
	struct str name = buf_str(&backup->name);

	sums_add(&backup->sums, hex, name);
	backup->counts.report_files += begins(name, "reports/");
	if (backup->stamp.len > 0)
		buf_addf(&backup->about, "%.*s\n", STR_ARGS(buf_str(&backup->stamp)));
	if (begins(name, "days/")) {
		*(linked ? &backup->counts.days_linked : &backup->counts.days_copied) += 1;
		const char *path = backup_dir_part_path(backup, backup->name.data, err);
		if (!path)
			return -1;
		*strrchr(backup->scratch.data, '/') = '\0';
		if (directory_sync(path, err) != 0)
			return -1;
	}
	return backup->sums.failed || backup->about.failed ? no_memory(err) : 0;
}

/* The list from a position on, which is searched first: files come in the same order as then. */
static struct str rest_of(const struct buf *list, size_t at)
{
	return list->len > 0 ? (struct str){ list->data + at, list->len - at } : (struct str){ NULL, 0 };
}

/* Was it the same when the previous backup was made? */
static bool is_same(struct backup_dir *backup, struct str stamp)
{
	const struct buf *about = &backup->previous_about;

	if (stamp.len == 0 || about->len == 0)
		return false;
	buf_clear(&backup->scratch);
	buf_addf(&backup->scratch, "\n%.*s\n", STR_ARGS(stamp));
	if (backup->scratch.failed)
		return false;
	struct str rest = rest_of(about, backup->about_at);
	/* NOLINTNEXTLINE(-Wanalyzer-null-argument): `about` is not empty here. */
	const char *found = memmem(rest.p, rest.len, backup->scratch.data, backup->scratch.len);
	if (!found)
		found = memmem(about->data, about->len, backup->scratch.data, backup->scratch.len);
	if (found)
		backup->about_at = (size_t)(found - about->data);
	return found != NULL;
}

/* Its sum in the previous backup; p NULL if it was not there. */
static struct str previous_sum(struct backup_dir *backup, struct str name)
{
	const struct buf *sums = &backup->previous_sums;

	if (!backup->previous.len)
		return (struct str){ NULL, 0 };
	struct str found = sums_find(rest_of(sums, backup->sums_at), name);
	if (!found.p)
		found = sums_find(buf_str(sums), name);
	if (found.p)
		backup->sums_at = (size_t)(found.p - sums->data);
	return found;
}

int backup_dir_link(struct backup_dir *backup, struct str name, struct str stamp, struct error *err)
{
	char hex[SUMS_HEX_LEN + 1] = "";

	if (take_name(backup, name, stamp, err) != 0)
		return -1;
	struct str sum = previous_sum(backup, name);
	if (!sum.p || !is_same(backup, stamp))
		return 0;
	const char *from = folder_path(&backup->scratch_to, backup->previous.data, backup->name.data, err);
	const char *to = from ? backup_dir_part_path(backup, backup->name.data, err) : NULL;
	if (!to)
		return -1;
	if (link(from, to) != 0)
		return 0; /* then it is copied, whatever the reason: links unsupported, too many, or it is gone */
	memcpy(hex, sum.p, SUMS_HEX_LEN);
	return note_file(backup, hex, true, err) == 0 ? 1 : -1;
}

int backup_dir_begin_file(struct backup_dir *backup, struct str name, struct str stamp, unsigned mode,
                          struct error *err)
{
	if (take_name(backup, name, stamp, err) != 0)
		return -1;
	const char *path = backup_dir_part_path(backup, backup->name.data, err);
	return path ? sums_file_make(&backup->file, path, mode & 0640, err) : -1;
}

int backup_dir_write(struct backup_dir *backup, struct str data, struct error *err)
{
	return sums_file_write(&backup->file, backup->name.data, data, err);
}

int backup_dir_end_file(struct backup_dir *backup, struct error *err)
{
	if (sums_file_finish(&backup->file, backup->name.data, err) != 0)
		return -1;
	backup->counts.bytes += backup->file.bytes;
	return note_file(backup, backup->file.hex, false, err);
}

int backup_dir_drop_file(struct backup_dir *backup, struct error *err)
{
	const char *path = backup_dir_part_path(backup, backup->name.data, err);

	sums_file_end(&backup->file);
	if (!path)
		return -1;
	if (begins(buf_str(&backup->name), "days/"))
		*strrchr(backup->scratch.data, '/') = '\0';
	return folder_remove(path, err);
}

/* --- the list --- */

static int write_about(struct backup_dir *backup, struct error *err)
{
	if (backup_dir_begin_file(backup, STR_LITERAL(BACKUP_NAME), STR_LITERAL(""), 0640, err) != 0 ||
	    backup_dir_write(backup, buf_str(&backup->about), err) != 0)
		return -1;
	return backup_dir_end_file(backup, err);
}

int backup_dir_write_list(struct backup_dir *backup, struct error *err)
{
	const char *path;

	if (!sums_find(buf_str(&backup->sums), STR_LITERAL("catalog/data.mdb")).p)
		return error_set(err, ERROR_CORRUPT, "backup: the daemon gave no catalog");
	if (write_about(backup, err) != 0)
		return -1;
	for (size_t i = 0; backup_dir_folders[i]; i++)
		if (!(path = backup_dir_part_path(backup, backup_dir_folders[i], err)) ||
		    directory_sync(path, err) != 0)
			return -1;
	path = backup_dir_part_path(backup, SUMS_NAME, err);
	if (!path || folder_write(path, buf_str(&backup->sums), 0640, err) != 0)
		return -1;
	return directory_sync(backup->part.data, err);
}
