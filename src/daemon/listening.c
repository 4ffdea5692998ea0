/* SPDX-License-Identifier: ISC */
/*
 * listening.c: the addresses that clients come to; see daemon.h. While another front end holds the catalog, a relay listens on
 * them and forwards; then the server of this one takes them over, with what is connected.
 */
#include "daemon/daemon.h"

#include <string.h>

#include "base/config.h"
#include "daemon/notify.h"
#include "daemon/options_check.h"
#include "daemon/relay.h"
#include "http/access.h"
#include "http/http.h"
#include "tls/tls.h"

static bool is_inherited(const struct daemon *d, const char *setting)
{
	for (int i = 0; i < d->inherited.count; i++)
		if (strcmp(d->inherited.list[i].setting, setting) == 0)
			return true;
	return false;
}

/* On sockets of systemd, if there are some for the setting, or else on the setting's addresses. */
static int listen_on(struct daemon *d, struct http_server *http, struct tls *tls, const char *setting,
                     const char *addresses, struct error *err)
{
	if (!is_inherited(d, setting))
		return http_server_listen(http, tls, setting, addresses, err);
	for (int i = 0; i < d->inherited.count; i++)
		if (strcmp(d->inherited.list[i].setting, setting) == 0 &&
		    http_server_adopt(http, tls, setting, d->inherited.list[i].fd, err) != 0)
			return -1;
	return 0;
}

static int start_listening(struct daemon *d, struct http_server *http, struct error *err)
{
	if (inherited_take(&d->inherited, err) != 0)
		return -1;
	if (options_use_tls(&d->config) || is_inherited(d, "listen_tls")) {
		d->tls = tls_new(&d->config, err);
		if (!d->tls)
			return -1;
	}
	if (listen_on(d, http, NULL, "listen", d->config.listen, err) != 0)
		return -1;
	return listen_on(d, http, d->tls, "listen_tls", d->config.listen_tls, err);
}

struct relay *daemon_begin_relay(void *arg, const struct meta_shared_options *options, struct error *err)
{
	struct daemon *d = arg;

	d->relay = relay_new(d->tasks, &d->config, d->audit, options, err);
	if (!d->relay)
		return NULL;
	http_server_log_to(relay_server(d->relay), d->access);
	if (start_listening(d, relay_server(d->relay), err) != 0)
		return NULL;
	notify_ready(RELAY_STATUS);
	return d->relay;
}

/* In place of the relay, if there is one. */
int daemon_listen(struct daemon *d, struct error *err)
{
	if (!d->relay)
		return start_listening(d, d->http, err);
	if (http_server_take_listeners(d->http, relay_server(d->relay), err) != 0)
		return -1;
	relay_end(d->relay);
	return 0;
}
