/* SPDX-License-Identifier: ISC */
/*
 * peer.c: who may use the admin socket, in addition to the file's mode.
 *
 * The kernel tells a peer's user and groups as they were when it connected (SO_PEERCRED, SO_PEERGROUPS). Names are
 * resolved once at start, because looking one up may block.
 */
#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "admin/server.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define GROUPS_MAX 1024

int admin_peer_init(struct admin *admin, struct error *err)
{
	const char *name = admin->context.config->admin_group;

	if (!name[0])
		return 0;
	errno = 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): at start, before other threads begin */
	struct group *group = getgrnam(name);
	if (!group && errno != 0 && errno != ENOENT)
		return error_set_errno(err, errno, "admin_group: cannot look up \"%s\"", name);
	if (!group)
		return error_set(err, ERROR_NOT_FOUND, "admin_group: there is no group \"%s\"", name);
	admin->has_group = true;
	admin->group = group->gr_gid;
	return 0;
}

static bool has_supplementary(int fd, gid_t wanted)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

int admin_peer_check(const struct admin *admin, int fd, struct ucred *peer, struct error *err)
{
	socklen_t len = sizeof(*peer);

	*peer = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) != 0)
		return error_set_errno(err, errno, "cannot tell who is at the other end");
	if (peer->uid == 0 || peer->uid == geteuid())
		return 0;
	if (admin->has_group && (peer->gid == admin->group || has_supplementary(fd, admin->group)))
		return 0;
	return error_set(err, ERROR_FORBIDDEN, "user %u may not use this socket: only root, the daemon's user%s%s",
	                 (unsigned)peer->uid, admin->has_group ? " and members of " : "",
	                 admin->has_group ? admin->context.config->admin_group : "");
}
