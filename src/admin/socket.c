/* SPDX-License-Identifier: ISC */
/*
 * socket.c: the file of the admin socket.
 *
 * An existing file is checked by connecting to it: if nobody listens, a dead daemon left it, and it is replaced; if
 * somebody does, or it is no socket, it is not ours to remove.
 */
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/server.h"

#define SOCKET_MODE 0660

static int set_address(struct sockaddr_un *address, const char *path, struct error *err)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!path[0])
		return error_set(err, ERROR_INVALID, "admin_socket: must not be empty");
	if (strlen(path) >= sizeof(address->sun_path))
		return error_set(err, ERROR_LIMIT, "admin_socket: %s: %zu bytes, at most %zu allowed", path,
		                 strlen(path), sizeof(address->sun_path) - 1);
	str_copy(address->sun_path, sizeof(address->sun_path), path);
	return 0;
}

/* 0 when it was removed or had vanished. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	const char *path = address->sun_path;
	struct stat file;

	if (lstat(path, &file) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "admin_socket: %s", path);
	if (!S_ISSOCK(file.st_mode))
		return error_set(err, ERROR_CONFLICT, "admin_socket: %s: is there already and is not a socket", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "admin_socket: cannot make a socket");
	int number = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	close(fd);
	if (number == 0 || number == EAGAIN)
		return error_set(err, ERROR_CONFLICT, "admin_socket: %s: another daemon listens on it", path);
	if (number != ECONNREFUSED && number != ENOENT)
		return error_set_errno(err, number, "admin_socket: %s", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set_errno(err, errno, "admin_socket: cannot remove the stale %s", path);
	return 0;
}

/* The file has the right mode from the start. */
static int bind_with_mode(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0777 & ~SOCKET_MODE);
	int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	return result;
}

static int take_identity(struct admin *admin, struct error *err)
{
	struct stat file;

	if (lstat(admin->path, &file) != 0)
		return error_set_errno(err, errno, "admin_socket: %s", admin->path);
	admin->path_device = file.st_dev;
	admin->path_inode = file.st_ino;
	if (admin->has_group && chown(admin->path, (uid_t)-1, admin->group) != 0) {
		error_set_errno(err, errno, "admin_group: cannot give %s to group %s", admin->path,
		                admin->context.config->admin_group);
		admin_socket_remove(admin);
		return -1;
	}
	return 0;
}

int admin_socket_open(struct admin *admin, struct error *err)
{
	struct sockaddr_un address;

	admin->path = strdup(admin->context.config->admin_socket);
	if (!admin->path)
		return error_set(err, ERROR_NOMEM, "Out of memory for the admin socket");
	if (set_address(&address, admin->path, err) != 0 || remove_stale(&address, err) != 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "admin_socket: cannot make a socket");
	if (bind_with_mode(fd, &address) != 0)
		error_set_errno(err, errno, "admin_socket: cannot bind to %s", admin->path);
	else if (take_identity(admin, err) == 0)
		return fd;
	close(fd);
	return -1;
}

void admin_socket_remove(struct admin *admin)
{
	struct stat file;

	if (admin->path_inode != 0 && lstat(admin->path, &file) == 0 && file.st_dev == admin->path_device &&
	    file.st_ino == admin->path_inode)
		unlink(admin->path);
	admin->path_inode = 0;
}
