/* SPDX-License-Identifier: ISC */
/*
 * directory.c: see directory.h.
 */
#include "base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int directory_sync_open(int fd, const char *path, struct error *err)
{
	return fsync(fd) == 0 || errno == EINVAL ? 0 : error_set_errno(err, errno, "%s: sync", path);
}

int directory_sync(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, errno, "%s: sync", path);
	int result = directory_sync_open(fd, path, err);
	close(fd);
	return result;
}

int directory_sync_parent(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return directory_sync(".", err);
	char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!parent)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	int result = directory_sync(parent, err);
	free(parent);
	return result;
}

int directory_make(const char *path, struct error *err)
{
	if (mkdir(path, 0750) == 0)
		return directory_sync_parent(path, err);
	return errno == EEXIST ? 0 : error_set_errno(err, errno, "%s: make directory", path);
}

int directory_next(DIR *dir, const char *path, const char **name, struct error *err)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (!entry)
		return errno == 0 ? 0 : error_set_errno(err, errno, "%s: read", path);
	*name = entry->d_name;
	return 1;
}
