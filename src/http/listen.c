/* SPDX-License-Identifier: ISC */
/*
 * listen.c: the addresses of `listen`, and accepting from them.
 *
 * When descriptors run out, accept fails and would be called again at once. Instead, accepting pauses for a moment, and
 * the log says so at most once a minute.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/connection.h"

#define BACKLOG 4096
#define PAUSE_US 100000
#define LOG_EVERY_US (60 * CLOCK_US_PER_SECOND)
#define REFUSED_MAX 100 /* connections above connections_max that get an answer; any more are just closed */

/* --- addresses --- */

struct address {
	bool any; /* "*": IPv6 and IPv4, or IPv4 alone where there is no IPv6 */
	union {
		struct sockaddr generic;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	};
	int len;
};

static bool parse_port(struct str text, in_port_t *port)
{
	unsigned value = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.p[i] - '0');
	}
	*port = htons((uint16_t)value);
	return value <= UINT16_MAX;
}

static void set_four(struct address *address, struct in_addr host, in_port_t port)
{
	address->four = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = host, .sin_port = port };
	address->len = sizeof(address->four);
}

static void set_six(struct address *address, struct in6_addr host, in_port_t port)
{
	address->six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = host, .sin6_port = port };
	address->len = sizeof(address->six);
}

static bool parse_host(struct address *address, char *host, in_port_t port)
{
	size_t len = strlen(host);
	struct in_addr four;
	struct in6_addr six;

	address->any = strcmp(host, "*") == 0;
	if (address->any) {
		set_six(address, in6addr_any, port);
		return true;
	}
	if (inet_pton(AF_INET, host, &four) == 1) {
		set_four(address, four, port);
		return true;
	}
	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &six) != 1)
		return false;
	set_six(address, six, port);
	return true;
}

static int parse_address(struct address *address, const char *setting, struct str text, struct error *err)
{
	char host[INET6_ADDRSTRLEN + 3];
	const char *colon = memrchr(text.p, ':', text.len);
	size_t len = colon ? (size_t)(colon - text.p) : 0;
	in_port_t port;

	if (colon && len < sizeof(host) && parse_port((struct str){ colon + 1, text.len - len - 1 }, &port)) {
		memcpy(host, text.p, len);
		host[len] = '\0';
		if (parse_host(address, host, port))
			return 0;
	}
	return error_set(err, ERROR_INVALID, "%s: \"%.*s\" is not IPv4:port, [IPv6]:port or *:port", setting,
	                 STR_ARGS(text));
}

static void format_address(evutil_socket_t fd, char *out, size_t size, int *port)
{
	struct address bound = { .len = 0 };
	socklen_t len = sizeof(bound.six);
	char host[INET6_ADDRSTRLEN] = "";

	getsockname(fd, &bound.generic, &len);
	if (bound.generic.sa_family == AF_INET6) {
		*port = ntohs(bound.six.sin6_port);
		inet_ntop(AF_INET6, &bound.six.sin6_addr, host, sizeof(host));
		snprintf(out, size, "[%s]:%d", host, *port);
	} else {
		*port = ntohs(bound.four.sin_port);
		inet_ntop(AF_INET, &bound.four.sin_addr, host, sizeof(host));
		snprintf(out, size, "%s:%d", host, *port);
	}
}

/* --- accepting --- */

static void set_accepting(struct http_server *server, bool on)
{
	for (int i = 0; i < server->listeners_count; i++)
		(on ? evconnlistener_enable : evconnlistener_disable)(server->listeners[i].listener);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	set_accepting(arg, true);
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = { 0, PAUSE_US };
	struct http_server *server = ((struct http_listener *)arg)->server;
	int number = EVUTIL_SOCKET_ERROR();
	int64_t now = clock_monotonic_us();

	(void)listener;
	if (server->accept_logged_us == 0 || now - server->accept_logged_us > LOG_EVERY_US) {
		log_error("http", "cannot accept connections: %s; trying again every %d ms", strerror(number),
		          PAUSE_US / 1000);
		server->accept_logged_us = now;
	}
	set_accepting(server, false);
	evtimer_add(server->accept_retry, &pause);
}

static bool is_proxy(const struct config *config, const struct ip *ip)
{
	return config->proxies[0] && network_listed(config->proxies, ip);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int peer_len,
                      void *arg)
{
	const struct http_listener *from = arg;
	struct http_server *server = from->server;
	uint64_t max = (uint64_t)server->config->connections_max;
	struct ip ip = ip_from(peer);

	(void)listener;
	(void)peer_len;
	if (server->stats.connections >= max)
		(void)http_server_make_room(server);
	if (server->stats.connections >= max + REFUSED_MAX)
		evutil_closesocket(fd);
	else if (!is_proxy(server->config, &ip))
		http_connection_accept(from, fd, &ip, false, server->stats.connections >= max);
	else if (!server->config->proxy_protocol)
		http_connection_accept(from, fd, &ip, true, server->stats.connections >= max);
	else if (!http_arrival_begin(from, fd, &ip, server->stats.connections >= max))
		evutil_closesocket(fd);
}

static struct evconnlistener *bind_address(struct http_listener *own, struct address *address)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	struct evconnlistener *listener;

	/* Lets "[::]:80, 0.0.0.0:80" listen side by side. */
	if (address->generic.sa_family == AF_INET6 && !address->any)
		flags |= LEV_OPT_BIND_IPV6ONLY;
	listener = evconnlistener_new_bind(own->server->base, on_accept, own, flags, BACKLOG, &address->generic,
	                                   address->len);
	if (!listener && address->any && address->generic.sa_family == AF_INET6) {
		set_four(address, (struct in_addr){ htonl(INADDR_ANY) }, address->six.sin6_port);
		return bind_address(own, address);
	}
	return listener;
}

/* Room for one more; NULL with *err if there is none. */
static struct http_listener *begin_listener(struct http_server *server, struct tls *tls, const char *setting,
                                            struct error *err)
{
	struct http_listener *own = &server->listeners[server->listeners_count];

	if (server->listeners_count == HTTP_LISTENERS_MAX) {
		error_set(err, ERROR_LIMIT, "%s: more than %d addresses", setting, HTTP_LISTENERS_MAX);
		return NULL;
	}
	if (!server->accept_retry)
		server->accept_retry = evtimer_new(server->base, on_retry, server);
	if (tls && !server->record)
		server->record = malloc(HTTP_RECORD_MAX);
	if (!server->accept_retry || (tls && !server->record)) {
		error_set(err, ERROR_NOMEM, "%s: out of memory for listeners", setting);
		return NULL;
	}
	*own = (struct http_listener){ .server = server, .tls = tls };
	return own;
}

static void end_listener(struct http_listener *own, const char *whose)
{
	static const int on = 1;
	evutil_socket_t fd = evconnlistener_get_fd(own->listener);
	char name[INET6_ADDRSTRLEN + 16];
	int port;

	own->server->listeners_count++;
	evconnlistener_set_error_cb(own->listener, on_accept_error);
	/* Accepted sockets inherit it, which saves a call each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	format_address(fd, name, sizeof(name), &port);
	log_info("http", "listening on %s%s%s", name, own->tls ? " with TLS" : "", whose);
}

static int listen_on(struct http_server *server, struct tls *tls, const char *setting, struct str text,
                     struct error *err)
{
	struct address address = { .len = 0 };
	struct http_listener *own;

	if (parse_address(&address, setting, text, err) < 0)
		return -1;
	own = begin_listener(server, tls, setting, err);
	if (!own)
		return -1;
	own->listener = bind_address(own, &address);
	if (!own->listener)
		return error_set_errno(err, errno, "%s: cannot listen on %.*s", setting, STR_ARGS(text));
	end_listener(own, "");
	return 0;
}

/* Cuts the next address, without spaces around it, off *list; false at the end. */
static bool next_address(struct str *list, struct str *text)
{
	static const char spaces[] = " \t";
	const char *comma;

	if (!list->p)
		return false;
	comma = memchr(list->p, ',', list->len);
	*text = (struct str){ list->p, comma ? (size_t)(comma - list->p) : list->len };
	*list = comma ? (struct str){ comma + 1, list->len - text->len - 1 } : (struct str){ NULL, 0 };
	while (text->len > 0 && strchr(spaces, text->p[0])) {
		text->p++;
		text->len--;
	}
	while (text->len > 0 && strchr(spaces, text->p[text->len - 1]))
		text->len--;
	return true;
}

int http_listen_check(const char *setting, const char *addresses, struct error *err)
{
	struct str list = str_from(addresses);
	struct address address;
	struct str text;
	int count = 0;

	while (next_address(&list, &text)) {
		if (parse_address(&address, setting, text, err) < 0)
			return -1;
		if (++count > HTTP_LISTENERS_MAX)
			return error_set(err, ERROR_LIMIT, "%s: more than %d addresses", setting, HTTP_LISTENERS_MAX);
	}
	return 0;
}

static bool is_loopback(const struct address *address)
{
	if (address->any)
		return false;
	if (address->generic.sa_family == AF_INET)
		return ntohl(address->four.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
}

bool http_listen_is_local(const char *addresses)
{
	struct str list = str_from(addresses);
	struct address address;
	struct error err;
	struct str text;

	while (addresses[0] && next_address(&list, &text))
		if (parse_address(&address, "listen", text, &err) == 0 && !is_loopback(&address))
			return false;
	return true;
}

int http_server_listen(struct http_server *server, struct tls *tls, const char *setting, const char *addresses,
                       struct error *err)
{
	struct str list = str_from(addresses);
	struct str text;

	while (addresses[0] && next_address(&list, &text))
		if (listen_on(server, tls, setting, text, err) < 0)
			return -1;
	return 0;
}

/* Is it a TCP socket that listens, and, without TLS, on this machine alone? */
static int check_adopted(const struct http_server *server, const struct tls *tls, const char *setting, int fd,
                         struct error *err)
{
	struct address bound = { .len = 0 };
	socklen_t len = sizeof(bound.six), int_len = sizeof(int);
	int listens = 0;

	if (getsockname(fd, &bound.generic, &len) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_len) != 0)
		return error_set_errno(err, errno, "%s: socket %d", setting, fd);
	if (!listens || (bound.generic.sa_family != AF_INET && bound.generic.sa_family != AF_INET6))
		return error_set(err, ERROR_INVALID, "%s: socket %d is no TCP socket that listens", setting, fd);
	if (!tls && !server->config->allow_cleartext && !is_loopback(&bound))
		return error_set(
			err, ERROR_INVALID,
			"%s: socket %d: beyond this machine HTTP would be in the clear, secrets included: name it "
			"%s_tls, or set allow_cleartext = yes",
			setting, fd, setting);
	return 0;
}

int http_server_adopt(struct http_server *server, struct tls *tls, const char *setting, int fd, struct error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
	struct http_listener *own;

	if (check_adopted(server, tls, setting, fd, err) != 0)
		return -1;
	own = begin_listener(server, tls, setting, err);
	if (!own)
		return -1;
	if (evutil_make_socket_nonblocking(fd) == 0)
		own->listener = evconnlistener_new(server->base, on_accept, own, flags, 0, fd);
	if (!own->listener)
		return error_set(err, ERROR_NOMEM, "%s: out of memory for a listener", setting);
	end_listener(own, ", a socket of systemd");
	return 0;
}

int http_server_take_listeners(struct http_server *server, const struct http_server *from, struct error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;

	for (int i = 0; i < from->listeners_count; i++) {
		struct http_listener *own = begin_listener(server, from->listeners[i].tls, "listen", err);
		int fd = own ? fcntl(evconnlistener_get_fd(from->listeners[i].listener), F_DUPFD_CLOEXEC, 0) : -1;

		if (!own)
			return -1;
		if (fd < 0)
			return error_set_errno(err, errno, "listen: a socket that is listened on");
		own->listener = evconnlistener_new(server->base, on_accept, own, flags, 0, fd);
		if (!own->listener) {
			close(fd);
			return error_set(err, ERROR_NOMEM, "listen: out of memory for a listener");
		}
		end_listener(own, " still");
	}
	return 0;
}

int http_server_port(const struct http_server *server)
{
	char name[INET6_ADDRSTRLEN + 16];
	int port = 0;

	if (server->listeners_count > 0)
		format_address(evconnlistener_get_fd(server->listeners[0].listener), name, sizeof(name), &port);
	return port;
}

void http_listen_stop(struct http_server *server)
{
	http_arrivals_end(server);
	for (int i = 0; i < server->listeners_count; i++)
		evconnlistener_free(server->listeners[i].listener);
	server->listeners_count = 0;
	if (server->accept_retry)
		event_free(server->accept_retry);
	server->accept_retry = NULL;
}
