/* SPDX-License-Identifier: ISC */
/*
 * inherited.h: sockets that systemd listens on for the daemon (sd_listen_fds(3)).
 *
 * A socket unit's FileDescriptorName is the setting whose addresses it stands for: listen or listen_tls. Connections that
 * come while the daemon restarts wait in such a socket, and ports below 1024 need no privilege.
 */
#ifndef CDRD_DAEMON_INHERITED_H
#define CDRD_DAEMON_INHERITED_H

#include "base/error.h"

#define INHERITED_MAX 16

struct inherited {
	int count;
	struct inherited_socket {
		const char *setting; /* static */
		int fd;
	} list[INHERITED_MAX];
};

/* Takes those that there are, so that no other program started from here does; none without systemd. ERROR_INVALID for a
 * name that is no such setting. */
MUST_CHECK int inherited_take(struct inherited *inherited, struct error *err);

#endif
