/* SPDX-License-Identifier: ISC */
/*
 * address.c: which addresses callbacks may go to. See address.h.
 */
#include "callback/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/network.h"
#include "callback/callback.h"

#define ADDRESSES_MORE 16

/* IANA's special-purpose registries (RFC 6890 and its successors); what is not in them is public. */
static const struct special {
	const char *network;
	const char *what;
} specials[] = {
	{ "0.0.0.0/8", "unspecified" },
	{ "10.0.0.0/8", "private" },
	{ "100.64.0.0/10", "shared (carrier-grade NAT)" },
	{ "127.0.0.0/8", "loopback" },
	{ "169.254.0.0/16", "link-local" },
	{ "172.16.0.0/12", "private" },
	{ "192.0.0.0/24", "reserved" },
	{ "192.0.2.0/24", "for documentation" },
	{ "192.88.99.0/24", "reserved" },
	{ "192.168.0.0/16", "private" },
	{ "198.18.0.0/15", "for benchmarks" },
	{ "198.51.100.0/24", "for documentation" },
	{ "203.0.113.0/24", "for documentation" },
	{ "224.0.0.0/4", "multicast" },
	{ "240.0.0.0/4", "reserved" },
	{ "::/128", "unspecified" },
	{ "::1/128", "loopback" },
	{ "fc00::/7", "private" },
	{ "fe80::/10", "link-local" },
	{ "fec0::/10", "private" },
	{ "ff00::/8", "multicast" },
	{ "2001::/23", "reserved" },
	{ "2001:db8::/32", "for documentation" },
	{ "3fff::/20", "for documentation" },
};

/* All that IANA has allocated as global unicast. */
static const char global_unicast[] = "2000::/3";

/* IPv6 networks with an IPv4 address in them. */
static const struct embedding {
	const char *network;
	size_t at; /* the first of its four bytes */
} embeddings[] = {
	{ "64:ff9b::/96", 12 }, /* NAT64, RFC 6052 */
	{ "2002::/16", 2 },     /* 6to4, RFC 3056 */
};

static bool text_has(const char *text, const struct ip *ip)
{
	struct network network;

	return network_parse(&network, text) && network_has(&network, ip);
}

static bool is_same(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, b->len) == 0;
}

/* Has any interface that IPv4 address? True where that cannot be told. */
static bool interface_has(int fd, const struct ip *ip)
{
	struct ifconf list = { 0 };
	bool has = false;

	if (ioctl(fd, SIOCGIFCONF, &list) != 0)
		return true;
	list.ifc_len += (int)sizeof(struct ifreq) * ADDRESSES_MORE; /* some may be added meanwhile */
	list.ifc_buf = malloc((size_t)list.ifc_len);
	if (!list.ifc_buf || ioctl(fd, SIOCGIFCONF, &list) != 0)
		has = true;
	for (int i = 0; !has && i < list.ifc_len / (int)sizeof(struct ifreq); i++) {
		struct ip own = ip_from(&list.ifc_req[i].ifr_addr);

		has = is_same(&own, ip);
	}
	free(list.ifc_buf);
	return has;
}

/* Is what is sent to that address sent from it, too? No packet is needed to learn it. A second IPv4 address of a network is
 * none of these, as the first is the source of all. */
static bool is_source_of_itself(int fd, const struct ip *ip)
{
	struct sockaddr_storage to, from;
	socklen_t len = sizeof(from);

	ip_address(ip, &to);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		return false;
	if (getsockname(fd, (struct sockaddr *)&from, &len) != 0)
		return true;
	struct ip source = ip_from((const struct sockaddr *)&from);

	return is_same(&source, ip);
}

/* True where that cannot be told. getifaddrs would want netlink, which the service has not. */
static bool is_of_this_machine(const struct ip *ip)
{
	int fd = socket(ip->len == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is = fd < 0 || is_source_of_itself(fd, ip) || (ip->len == 4 && interface_has(fd, ip));

	if (fd >= 0)
		close(fd);
	return is;
}

static const char *ip_special(const struct ip *ip)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (text_has(specials[i].network, ip))
			return specials[i].what;
	for (size_t i = 0; i < sizeof(embeddings) / sizeof(embeddings[0]); i++) {
		struct ip inner = { .len = 4 };

		if (!text_has(embeddings[i].network, ip))
			continue;
		memcpy(inner.bytes, ip->bytes + embeddings[i].at, 4);
		return ip_special(&inner);
	}
	if (ip->len != 4 && !text_has(global_unicast, ip))
		return "not public";
	return is_of_this_machine(ip) ? "of this machine" : NULL;
}

const char *address_special(const struct sockaddr *address)
{
	struct ip ip = ip_from(address);

	return ip.len == 0 ? "neither IPv4 nor IPv6" : ip_special(&ip);
}

void address_format(char out[ADDRESS_TEXT_LEN], const struct sockaddr *address)
{
	struct ip ip = ip_from(address);

	ip_format(out, &ip);
}

bool address_listed(const char *allow, const char *host, const struct sockaddr *address)
{
	char word[NETWORK_WORD_MAX];
	struct network network;
	struct ip ip = ip_from(address);

	while (network_next_word(&allow, word)) {
		bool is_network = network_parse(&network, word);

		if (is_network ? network_has(&network, &ip) : strcasecmp(word, host) == 0)
			return true;
	}
	return false;
}

bool address_allowed(const char *allow, const char *host, const struct sockaddr *address)
{
	return !address_special(address) || address_listed(allow, host, address);
}

/* Letters, digits, dots and the like; a last label of digits would be a mistyped address. */
static bool is_host_name(const char *word)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	const char *dot = strrchr(word, '.');
	const char *last = dot ? dot + 1 : word;

	return word[strspn(word, allowed)] == '\0' && last[strspn(last, "0123456789")] != '\0';
}

int callback_networks_check(const char *setting, const char *allow, struct error *err)
{
	char word[NETWORK_WORD_MAX];
	struct network network;

	while (network_next_word(&allow, word))
		if (!network_parse(&network, word) && !is_host_name(word))
			return error_set(err, ERROR_INVALID,
			                 "%s: \"%s\" is neither an address, a network such as 10.1.0.0/16 "
			                 "nor a host name",
			                 setting, word);
	return 0;
}

int callback_allow_check(const char *allow, struct error *err)
{
	return callback_networks_check("callback_allow", allow, err);
}
