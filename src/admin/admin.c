/* SPDX-License-Identifier: ISC */
/*
 * admin.c: the admin socket's server. It accepts connections, checks the peer, and leaves the rest to session.c.
 */
#include "admin/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/audit.h"
#include "admin/rates.h"
#include "admin/session.h"
#include "base/log.h"

#define BACKLOG 64
#define RETRY_S 1

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct admin *admin = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(admin->listener);
}

/* Most likely out of descriptors: an immediate retry would fail again. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = { .tv_sec = RETRY_S };
	struct admin *admin = arg;

	log_error("admin", "cannot accept a connection: %s", strerror(errno));
	evconnlistener_disable(listener);
	evtimer_add(admin->accept_retry, &pause);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len, void *arg)
{
	struct admin *admin = arg;
	struct ucred peer;
	struct error err;

	(void)listener;
	(void)address;
	(void)len;
	if (admin->sessions_count >= 2 * ADMIN_SESSIONS_MAX) {
		close(fd);
		return;
	}
	int result = admin_peer_check(admin, fd, &peer, &err);
	if (result != 0) {
		log_warn("admin", "%s (pid %d)", err.message, (int)peer.pid);
		admin_audit_refused(admin, peer.uid, peer.pid, err.message);
	} else if (admin->sessions_count >= ADMIN_SESSIONS_MAX) {
		result = error_set(&err, ERROR_LIMIT, "%d connections are open, at most %d allowed",
		                   admin->sessions_count, ADMIN_SESSIONS_MAX);
	}
	session_open(admin, fd, &(struct session_peer){ .uid = peer.uid, .pid = peer.pid }, result != 0 ? &err : NULL);
}

static int listen_on(struct admin *admin, struct error *err)
{
	int fd = admin_socket_open(admin, err);

	if (fd < 0)
		return -1;
	admin->listener = evconnlistener_new(admin->context.base, on_accept, admin,
	                                     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!admin->listener) {
		error_set_errno(err, errno, "admin_socket: cannot listen on %s", admin->path);
		close(fd);
		return -1;
	}
	evconnlistener_set_error_cb(admin->listener, on_accept_error);
	log_info("admin", "listening on %s", admin->path);
	return 0;
}

struct admin *admin_new(const struct admin_context *context, struct error *err)
{
	struct admin *admin = calloc(1, sizeof(*admin));

	if (!admin) {
		error_set(err, ERROR_NOMEM, "Out of memory for the admin socket");
		return NULL;
	}
	admin->context = *context;
	TAILQ_INIT(&admin->sessions);
	admin->accept_retry = evtimer_new(context->base, on_retry, admin);
	admin->rates = rates_new(&admin->context);
	admin->context.rates = admin->rates;
	if (!admin->accept_retry || !admin->rates)
		error_set(err, ERROR_NOMEM, "Out of memory for the admin socket");
	else if (admin_peer_init(admin, err) == 0 && listen_on(admin, err) == 0)
		return admin;
	admin_free(admin);
	return NULL;
}

void admin_free(struct admin *admin)
{
	struct session *session;

	if (!admin)
		return;
	if (admin->listener)
		evconnlistener_free(admin->listener);
	if (admin->accept_retry)
		event_free(admin->accept_retry);
	while ((session = TAILQ_FIRST(&admin->sessions)))
		session_close(session);
	admin_socket_remove(admin);
	rates_free(admin->rates);
	free(admin->path);
	free(admin);
}
