/* SPDX-License-Identifier: ISC */
/*
 * hold_marker.c: the file in data_dir that holds callbacks (hold.c), for cdrctl, too, which is linked with nothing else of
 * callbacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/directory.h"
#include "callback/callback.h"

int callback_hold_path(const char *data_dir, struct buf *path, struct error *err)
{
	buf_addf(path, "%s/" CALLBACK_HELD_NAME, data_dir);
	return buf_cstr(path) ? 0 : error_set(err, ERROR_NOMEM, "%s: out of memory", data_dir);
}

int callback_hold_mark(const char *data_dir, struct error *err)
{
	static const char text[] = "Laid out by cdrctl restore: no callback is sent before cdrctl callback resume.\n";
	struct buf path = { 0 };

	if (callback_hold_path(data_dir, &path, err) != 0) {
		buf_free(&path);
		return -1;
	}
	int fd = open(path.data, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool written = fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1 && fsync(fd) == 0;
	int result = written ? directory_sync(data_dir, err) : error_set_errno(err, errno, "%s: make", path.data);
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return result;
}
