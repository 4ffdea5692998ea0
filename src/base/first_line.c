/* SPDX-License-Identifier: ISC */
/*
 * first_line.c: see first_line.h.
 */
#include "base/first_line.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int first_line_read(const char *path, char *line, size_t size, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd >= 0 ? read(fd, line, size) : -1;
	int result = len >= 0 ? 0 : error_set_errno(err, errno, "%s", path);

	if (fd >= 0)
		close(fd);
	if (result != 0)
		return -1;
	if ((size_t)len >= size)
		return error_set(err, ERROR_INVALID, "%s: must be shorter than %zu bytes", path, size);
	line[len] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return 0;
}
