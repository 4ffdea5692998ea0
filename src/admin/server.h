/* SPDX-License-Identifier: ISC */
/*
 * server.h: what the sessions of the admin socket share; private to admin/.
 */
#ifndef CDRD_ADMIN_SERVER_H
#define CDRD_ADMIN_SERVER_H

#include <event2/listener.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "admin/context.h"

#define ADMIN_SESSIONS_MAX 64

struct session;

struct admin {
	struct admin_context context;
	struct rates *rates;
	struct evconnlistener *listener;
	struct event *accept_retry;
	char *path;
	dev_t path_device; /* of the socket's file, so that no other file is removed at the end */
	ino_t path_inode;
	bool has_group;
	gid_t group;
	TAILQ_HEAD(, session) sessions;
	int sessions_count;
	size_t left_count; /* of all sessions' replies that are left */
};

/* --- socket.c --- */

/* Makes the listening socket of config->admin_socket; fills path and the file's identity. Its descriptor, or -1. */
MUST_CHECK int admin_socket_open(struct admin *admin, struct error *err);

/* Removes the file if it is still ours. */
void admin_socket_remove(struct admin *admin);

/* --- peer.c --- */

/* Looks up admin_group, if set. Only for start: it may read files. */
MUST_CHECK int admin_peer_init(struct admin *admin, struct error *err);

/* Who is the peer, and may it connect? ERROR_FORBIDDEN if not. */
MUST_CHECK int admin_peer_check(const struct admin *admin, int fd, struct ucred *peer, struct error *err);

#endif
