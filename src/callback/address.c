/* SPDX-License-Identifier: ISC */
/*
 * address.c: which addresses callbacks may go to. See address.h.
 */
#include "callback/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callback/callback.h"

/* 4 bytes of an IPv4 address, also of one mapped into IPv6, or 16 of an IPv6 one; 0 of anything else. */
struct ip {
	size_t len;
	uint8_t bytes[16];
};

struct network {
	struct ip ip;
	unsigned bits;
};

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

static struct ip ip_from_v6(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip ip = { .len = 16 };

	memcpy(ip.bytes, bytes, 16);
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		ip = (struct ip){ .len = 4 };
		memcpy(ip.bytes, bytes + sizeof(mapped), 4);
	}
	return ip;
}

static struct ip ip_from(const struct sockaddr *address)
{
	struct ip ip = { 0 };

	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		ip.len = 4;
		memcpy(ip.bytes, &in.sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		ip = ip_from_v6(in6.sin6_addr.s6_addr);
	}
	return ip;
}

static bool ip_parse(struct ip *ip, const char *text)
{
	uint8_t bytes[16];

	*ip = (struct ip){ .len = 4 };
	if (inet_pton(AF_INET, text, ip->bytes) == 1)
		return true;
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	*ip = ip_from_v6(bytes);
	return true;
}

static bool bits_parse(unsigned *bits, const char *text, size_t len_max)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 3 || text[digits])
		return false;
	*bits = (unsigned)strtoul(text, NULL, 10);
	return *bits <= 8 * len_max;
}

/* "10.0.0.0/8", "10.1.2.3", "fd00::/8"; bits after the network's are ignored. */
static bool network_parse(struct network *network, const char *text)
{
	char address[64];
	size_t len = strcspn(text, "/");

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!ip_parse(&network->ip, address))
		return false;
	/* The length of a mapped address's network counts the IPv6 bits before it. */
	bool is_mapped = network->ip.len == 4 && strchr(address, ':');
	network->bits = (unsigned)(8 * network->ip.len);
	if (!text[len])
		return true;
	if (!bits_parse(&network->bits, text + len + 1, is_mapped ? 16 : network->ip.len))
		return false;
	if (is_mapped && network->bits < 96)
		return false;
	network->bits -= is_mapped ? 96 : 0;
	return true;
}

static bool network_has(const struct network *network, const struct ip *ip)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (ip->len != network->ip.len || memcmp(ip->bytes, network->ip.bytes, whole) != 0)
		return false;
	return rest == 0 || (ip->bytes[whole] ^ network->ip.bytes[whole]) >> (8 - rest) == 0;
}

static bool text_has(const char *text, const struct ip *ip)
{
	struct network network;

	return network_parse(&network, text) && network_has(&network, ip);
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
	return ip->len == 4 || text_has(global_unicast, ip) ? NULL : "not public";
}

const char *address_special(const struct sockaddr *address)
{
	struct ip ip = ip_from(address);

	return ip.len == 0 ? "neither IPv4 nor IPv6" : ip_special(&ip);
}

void address_format(char out[ADDRESS_TEXT_LEN], const struct sockaddr *address)
{
	struct ip ip = ip_from(address);

	if (ip.len == 0 || !inet_ntop(ip.len == 4 ? AF_INET : AF_INET6, ip.bytes, out, ADDRESS_TEXT_LEN))
		snprintf(out, ADDRESS_TEXT_LEN, "?");
}

/* The next word of a list, without blanks around it; false at the end. Empty words are skipped. */
static bool next_word(const char **list, char word[256])
{
	static const char between[] = ", \t";

	*list += strspn(*list, between);
	size_t len = strcspn(*list, between);
	if (len == 0)
		return false;
	snprintf(word, 256, "%.*s", (int)len, *list);
	*list += len;
	return true;
}

bool address_listed(const char *allow, const char *host, const struct sockaddr *address)
{
	char word[256];
	struct network network;
	struct ip ip = ip_from(address);

	while (next_word(&allow, word)) {
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

int callback_allow_check(const char *allow, struct error *err)
{
	char word[256];
	struct network network;

	while (next_word(&allow, word))
		if (!network_parse(&network, word) && !is_host_name(word))
			return error_set(err, ERROR_INVALID,
			                 "callback_allow: \"%s\" is neither an address, a network such as 10.1.0.0/16 "
			                 "nor a host name",
			                 word);
	return 0;
}
