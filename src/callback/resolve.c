/* SPDX-License-Identifier: ISC */
/*
 * resolve.c: host names to addresses on the loop. See resolve.h.
 */
#include "callback/resolve.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

/* Tells whether a file has changed. */
struct file_mark {
	struct timespec changed;
	ino_t inode;
	off_t size;
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns;
	const char *resolv_conf;
	const char *hosts;
	struct file_mark resolv_conf_mark;
	struct file_mark hosts_mark;
	LIST_HEAD(, lookup) lookups;
};

struct lookup {
	LIST_ENTRY(lookup) link;
	struct evdns_getaddrinfo_request *request;
	lookup_fn fn; /* NULL when cancelled */
	void *arg;
	bool starting; /* evdns_getaddrinfo has not returned yet */
	bool done;
};

static struct file_mark mark_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (struct file_mark){ .size = -1 };
	return (struct file_mark){ st.st_mtim, st.st_ino, st.st_size };
}

static bool mark_differs(const struct file_mark *a, const struct file_mark *b)
{
	return a->inode != b->inode || a->size != b->size || clock_compare(&a->changed, &b->changed) != 0;
}

static void log_evdns(int is_warning, const char *text)
{
	if (is_warning)
		log_warn("callback", "DNS: %s", text);
	else
		log_debug("callback", "DNS: %s", text);
}

/* Reads the files into a new evdns_base. */
static int load(struct resolver *resolver, struct error *err)
{
	struct evdns_base *dns = evdns_base_new(resolver->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (!dns)
		return error_set(err, ERROR_NOMEM, "callbacks: evdns could not be started");
	resolver->resolv_conf_mark = mark_of(resolver->resolv_conf);
	resolver->hosts_mark = mark_of(resolver->hosts);
	if (evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, resolver->resolv_conf) != 0)
		log_warn("callback", "%s: cannot be read or names no server", resolver->resolv_conf);
	evdns_base_load_hosts(dns, resolver->hosts);
	if (resolver->dns)
		evdns_base_free(resolver->dns, 1);
	resolver->dns = dns;
	return 0;
}

struct resolver *resolver_new(struct event_base *base, const char *resolv_conf, const char *hosts, struct error *err)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver) {
		error_set(err, ERROR_NOMEM, "callbacks: out of memory");
		return NULL;
	}
	resolver->base = base;
	resolver->resolv_conf = resolv_conf;
	resolver->hosts = hosts;
	LIST_INIT(&resolver->lookups);
	evdns_set_log_fn(log_evdns);
	if (load(resolver, err) != 0) {
		free(resolver);
		return NULL;
	}
	return resolver;
}

void resolver_free(struct resolver *resolver)
{
	struct lookup *lookup;

	if (!resolver)
		return;
	bool is_busy = !LIST_EMPTY(&resolver->lookups);
	LIST_FOREACH(lookup, &resolver->lookups, link)
		lookup_cancel(lookup);
	evdns_base_free(resolver->dns, 1);
	/* evdns frees cancelled lookups only in the loop. */
	if (is_busy)
		event_base_loop(resolver->base, EVLOOP_NONBLOCK);
	while ((lookup = LIST_FIRST(&resolver->lookups))) {
		LIST_REMOVE(lookup, link);
		free(lookup);
	}
	free(resolver);
}

/* While lookups are in progress, the old servers stay in use. */
static void reload_if_changed(struct resolver *resolver)
{
	struct error err;
	struct file_mark resolv_conf = mark_of(resolver->resolv_conf), hosts = mark_of(resolver->hosts);
	bool has_changed =
		mark_differs(&resolv_conf, &resolver->resolv_conf_mark) || mark_differs(&hosts, &resolver->hosts_mark);

	if (!has_changed || !LIST_EMPTY(&resolver->lookups))
		return;
	if (load(resolver, &err) != 0)
		log_error("callback", "%s", err.message);
	else
		log_info("callback", "read %s and %s again", resolver->resolv_conf, resolver->hosts);
}

static size_t take_addresses(struct address *addresses, const struct evutil_addrinfo *info)
{
	size_t count = 0;

	for (; info && count < RESOLVE_ADDRESSES_MAX; info = info->ai_next) {
		if (info->ai_addrlen > sizeof(addresses->storage))
			continue;
		memcpy(&addresses[count].storage, info->ai_addr, info->ai_addrlen);
		addresses[count++].len = (socklen_t)info->ai_addrlen;
	}
	return count;
}

static const char *problem_of(int code, size_t count)
{
	switch (code) {
	case 0:
		return count ? "" : "it has no address";
	case EVUTIL_EAI_NONAME:
	case EVUTIL_EAI_NODATA:
		return "no such name, or it has no address";
	case EVUTIL_EAI_AGAIN:
	case EVUTIL_EAI_FAIL:
		return "the name servers do not answer";
	default:
		return evutil_gai_strerror(code);
	}
}

static void lookup_ended(int code, struct evutil_addrinfo *info, void *arg)
{
	struct lookup *lookup = arg;
	struct address addresses[RESOLVE_ADDRESSES_MAX];
	size_t count = code == 0 ? take_addresses(addresses, info) : 0;
	lookup_fn fn = lookup->fn;
	void *fn_arg = lookup->arg;

	if (info)
		evutil_freeaddrinfo(info);
	LIST_REMOVE(lookup, link);
	lookup->done = true;
	if (!lookup->starting)
		free(lookup);
	if (fn)
		fn(fn_arg, addresses, count, problem_of(code, count));
}

struct lookup *resolver_lookup(struct resolver *resolver, const char *host, uint16_t port, lookup_fn fn, void *arg)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
		                         .ai_socktype = SOCK_STREAM,
		                         .ai_protocol = IPPROTO_TCP };
	char service[8];

	reload_if_changed(resolver);
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	if (!lookup) {
		fn(arg, NULL, 0, "out of memory");
		return NULL;
	}
	*lookup = (struct lookup){ .fn = fn, .arg = arg, .starting = true };
	LIST_INSERT_HEAD(&resolver->lookups, lookup, link);
	snprintf(service, sizeof(service), "%u", port);
	lookup->request = evdns_getaddrinfo(resolver->dns, host, service, &hints, lookup_ended, lookup);
	lookup->starting = false;
	if (!lookup->done)
		return lookup;
	free(lookup);
	return NULL;
}

void lookup_cancel(struct lookup *lookup)
{
	bool was_cancelled = !lookup->fn;

	lookup->fn = NULL;
	if (!was_cancelled)
		evdns_getaddrinfo_cancel(lookup->request);
}
