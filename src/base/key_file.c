/* SPDX-License-Identifier: ISC */
/*
 * key_file.c: see key_file.h.
 */
#include "base/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/id.h"

#define NAME_MAX_BYTES 64

static int read_key(uint8_t *key, size_t len, const char *data_dir, const char *name, int fd, struct error *err)
{
	uint8_t bytes[KEY_FILE_BYTES_MAX + 1]; /* one more, to detect a longer file */
	ssize_t got = read(fd, bytes, len + 1);

	if (got < 0)
		return error_set_errno(err, errno, "%s/%s", data_dir, name);
	if (got != (ssize_t)len)
		return error_set(err, ERROR_CORRUPT, "%s/%s: not a key of %zu bytes", data_dir, name, len);
	memcpy(key, bytes, len);
	return 0;
}

/* Writes the new file and makes it durable; -1 with errno set. */
static int write_new(int dir_fd, const char *name, const uint8_t *key, size_t len)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, key, len);
	if (written >= 0 && written != (ssize_t)len) {
		written = -1;
		errno = ENOSPC;
	}
	if (written < 0 || fsync(fd) < 0) {
		int number = errno;

		close(fd);
		errno = number;
		return -1;
	}
	return close(fd);
}

static int make_key(uint8_t *key, size_t len, const char *data_dir, const char *name, int dir_fd, struct error *err)
{
	char fresh[NAME_MAX_BYTES];

	snprintf(fresh, sizeof(fresh), "%s.new", name);
	id_random(key, len);
	unlinkat(dir_fd, fresh, 0); /* left by an interrupted start */
	if (write_new(dir_fd, fresh, key, len) < 0 || renameat(dir_fd, fresh, dir_fd, name) < 0)
		return error_set_errno(err, errno, "%s/%s", data_dir, name);
	return directory_sync_open(dir_fd, data_dir, err);
}

int key_file_load(const char *data_dir, const char *name, uint8_t *key, size_t len, bool may_make, struct error *err)
{
	int dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;
	int fd;

	if (dir_fd < 0)
		return error_set_errno(err, errno, "%s", data_dir);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		result = read_key(key, len, data_dir, name, fd, err);
	else if (errno == ENOENT && may_make)
		result = make_key(key, len, data_dir, name, dir_fd, err);
	else if (errno == ENOENT)
		result = error_set(err, ERROR_NOT_FOUND, "%s/%s: is not there", data_dir, name);
	else
		result = error_set_errno(err, errno, "%s/%s", data_dir, name);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return result;
}
