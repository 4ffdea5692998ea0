/*
 * cursor_key.c: data_dir/cursor.key, the 32 random bytes that seal cursors.
 *
 * Made at first start beside its name and renamed into place, so that a crash leaves a whole key or none. A key that
 * is there but not whole is an error rather than replaced: every cursor that clients hold would silently die.
 */
#include "query/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"

#define KEY_NAME "cursor.key"
#define NEW_NAME "cursor.key.new"

static int read_key(struct cursor_key *key, const char *data_dir, int fd, struct error *err)
{
	uint8_t bytes[sizeof(key->bytes) + 1]; /* one more, to see that the file ends */
	ssize_t got = read(fd, bytes, sizeof(bytes));

	if (got < 0)
		return error_set_errno(err, errno, "%s/" KEY_NAME, data_dir);
	if (got != sizeof(key->bytes))
		return error_set(err, ERROR_CORRUPT, "%s/" KEY_NAME ": not a key of %zu bytes", data_dir,
		                 sizeof(key->bytes));
	memcpy(key->bytes, bytes, sizeof(key->bytes));
	return 0;
}

/* Writes the new file and makes it durable; -1 with errno set. */
static int write_new(int dir_fd, const struct cursor_key *key)
{
	int fd = openat(dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, key->bytes, sizeof(key->bytes));
	if (written >= 0 && written != sizeof(key->bytes)) {
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

static int make_key(struct cursor_key *key, const char *data_dir, int dir_fd, struct error *err)
{
	id_random(key->bytes, sizeof(key->bytes));
	unlinkat(dir_fd, NEW_NAME, 0); /* of a start that was cut short */
	if (write_new(dir_fd, key) < 0 || renameat(dir_fd, NEW_NAME, dir_fd, KEY_NAME) < 0 || fsync(dir_fd) < 0)
		return error_set_errno(err, errno, "%s/" KEY_NAME, data_dir);
	return 0;
}

int cursor_key_load(struct cursor_key *key, const char *data_dir, struct error *err)
{
	int dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;
	int fd;

	if (dir_fd < 0)
		return error_set_errno(err, errno, "%s", data_dir);
	fd = openat(dir_fd, KEY_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		result = read_key(key, data_dir, fd, err);
	else if (errno == ENOENT)
		result = make_key(key, data_dir, dir_fd, err);
	else
		result = error_set_errno(err, errno, "%s/" KEY_NAME, data_dir);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return result;
}
