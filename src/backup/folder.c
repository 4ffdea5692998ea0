/* SPDX-License-Identifier: ISC */
/*
 * folder.c: see folder.h.
 */
#include "backup/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"

#define PATTERN "dddd-dd-ddTdddddd.dddZ" /* d: a digit */
#define PART ".part"

const char *folder_path(struct buf *out, const char *dir, const char *name, struct error *err)
{
	buf_clear(out);
	buf_addf(out, "%s/%s", dir, name);
	if (!buf_cstr(out))
		error_set(err, ERROR_NOMEM, "%s: out of memory", dir);
	return out->failed ? NULL : out->data;
}

int folder_read(const char *path, size_t max, struct buf *out, struct error *err)
{
	char piece[4096];
	size_t begin = out->len;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? error_set(err, ERROR_NOT_FOUND, "%s: is not there", path) :
		                         error_set_errno(err, errno, "%s: open", path);
	while ((got = read(fd, piece, sizeof(piece))) > 0 && out->len - begin <= max)
		buf_add(out, piece, (size_t)got);
	int number = errno;
	close(fd);
	if (got < 0)
		return error_set_errno(err, number, "%s: read", path);
	if (out->len - begin > max)
		return error_set(err, ERROR_LIMIT, "%s: longer than %zu bytes", path, max);
	return out->failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", path) : 0;
}

int folder_write(const char *path, struct str text, unsigned mode, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
	size_t at = 0;

	if (fd < 0)
		return error_set_errno(err, errno, "%s: make", path);
	while (at < text.len) {
		ssize_t written = write(fd, text.p + at, text.len - at);

		if (written < 0 && errno != EINTR)
			break;
		at += written > 0 ? (size_t)written : 0;
	}
	int result = at == text.len && fsync(fd) == 0 ? 0 : error_set_errno(err, errno, "%s: write", path);
	close(fd);
	return result;
}

int folder_make(const char *path, bool may_exist, struct error *err)
{
	if (mkdir(path, 0750) == 0 || (may_exist && errno == EEXIST))
		return 0;
	return error_set_errno(err, errno, "%s: make directory", path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int folder_remove(const char *path, struct error *err)
{
	if (nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return 0;
	return error_set_errno(err, errno, "%s: remove", path);
}

int folder_each(const char *path, folder_fn fn, void *arg, struct error *err)
{
	DIR *dir = opendir(path);
	const char *name;
	int more = 1;

	if (!dir)
		return errno == ENOENT ? error_set(err, ERROR_NOT_FOUND, "%s: is not there", path) :
		                         error_set_errno(err, errno, "%s: open", path);
	while (more > 0 && (more = directory_next(dir, path, &name, err)) > 0)
		if (fn(arg, name, err) != 0)
			more = -1;
	closedir(dir);
	return more;
}

/* Returns the rest of a name after a backup's pattern. */
static const char *after_pattern(const char *name)
{
	for (const char *pattern = PATTERN; *pattern; pattern++, name++)
		if (*pattern == 'd' ? *name < '0' || *name > '9' : *name != *pattern)
			return NULL;
	return name;
}

bool folder_is_backup(const char *name)
{
	const char *rest = after_pattern(name);

	return rest && *rest == '\0';
}

bool folder_is_part(const char *name)
{
	const char *rest = after_pattern(name);

	return rest && strcmp(rest, PART) == 0;
}

void folder_add_name(struct buf *out, int64_t time_us)
{
	int32_t day = clock_day_of(time_us);
	int64_t ms = (time_us - clock_day_start_us(day)) / 1000;

	clock_format_day(out, day);
	buf_addf(out, "T%02d%02d%02d.%03dZ", (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
	         (int)(ms % 1000));
}

bool folder_is_older(const char *name, const char *than, const char *now)
{
	bool is_ahead = strcmp(name, now) > 0, than_ahead = strcmp(than, now) > 0;

	return is_ahead != than_ahead ? is_ahead : strcmp(name, than) < 0;
}

struct newest {
	struct buf *name;
	struct buf now;
};

static int take_newest(void *arg, const char *name, struct error *err)
{
	struct newest *newest = arg;

	if (!folder_is_backup(name) ||
	    (newest->name->len && folder_is_older(name, newest->name->data, newest->now.data)))
		return 0;
	buf_clear(newest->name);
	buf_add_text(newest->name, name);
	return buf_cstr(newest->name) ? 0 : error_set(err, ERROR_NOMEM, "%s: out of memory", name);
}

int folder_newest(const char *dir, struct buf *name, struct error *err)
{
	struct newest newest = { .name = name };

	buf_clear(name);
	folder_add_name(&newest.now, clock_now_us());
	int result = buf_cstr(&newest.now) ? folder_each(dir, take_newest, &newest, err) :
	                                     error_set(err, ERROR_NOMEM, "%s: out of memory", dir);
	buf_free(&newest.now);
	return result == 0 ? name->len > 0 : -1;
}
