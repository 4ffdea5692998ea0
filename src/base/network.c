/* SPDX-License-Identifier: ISC */
/*
 * network.c: see network.h.
 */
#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ip from_v6(const uint8_t bytes[16])
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

struct ip ip_from(const struct sockaddr *address)
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
		ip = from_v6(in6.sin6_addr.s6_addr);
	}
	return ip;
}

bool ip_parse(struct ip *ip, const char *text)
{
	uint8_t bytes[16];

	*ip = (struct ip){ .len = 4 };
	if (inet_pton(AF_INET, text, ip->bytes) == 1)
		return true;
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	*ip = from_v6(bytes);
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

bool network_parse(struct network *network, const char *text)
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

bool network_has(const struct network *network, const struct ip *ip)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (ip->len != network->ip.len || memcmp(ip->bytes, network->ip.bytes, whole) != 0)
		return false;
	return rest == 0 || (ip->bytes[whole] ^ network->ip.bytes[whole]) >> (8 - rest) == 0;
}

bool network_next_word(const char **list, char word[256])
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

void ip_address(const struct ip *ip, struct sockaddr_storage *address)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

	*address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	if (ip->len == 4) {
		memcpy(&four.sin_addr, ip->bytes, 4);
		memcpy(address, &four, sizeof(four));
	} else if (ip->len == 16) {
		memcpy(&six.sin6_addr, ip->bytes, 16);
		memcpy(address, &six, sizeof(six));
	}
}

bool network_listed(const char *list, const struct ip *ip)
{
	char word[NETWORK_WORD_MAX];
	struct network network;

	while (network_next_word(&list, word))
		if (network_parse(&network, word) && network_has(&network, ip))
			return true;
	return false;
}

int network_list_check(const char *setting, const char *list, struct error *err)
{
	char word[NETWORK_WORD_MAX];
	struct network network;

	while (network_next_word(&list, word))
		if (!network_parse(&network, word))
			return error_set(err, ERROR_INVALID,
			                 "%s: \"%s\" is neither an address nor a network such as 10.1.0.0/16", setting,
			                 word);
	return 0;
}

void ip_format(char out[IP_TEXT_LEN], const struct ip *ip)
{
	if (ip->len == 0 || !inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, out, IP_TEXT_LEN))
		snprintf(out, IP_TEXT_LEN, "?");
}
