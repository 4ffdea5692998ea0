/* SPDX-License-Identifier: ISC */
/*
 * fuzz_network.c: addresses, networks and lists of them, as settings and keys have them.
 *
 * An input is a list. What must hold: an address that is taken is written as a text that is taken as the same; a network has
 * its own address, and no other in its first bits; and a list that passes its check has each of its networks.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void check_address(const struct ip *ip)
{
	char text[IP_TEXT_LEN];
	struct sockaddr_storage address;
	struct ip again;

	must(ip->len == 4 || ip->len == 16);
	ip_format(text, ip);
	must(ip_parse(&again, text) && ip_equal(ip, &again));
	ip_address(ip, &address);
	again = ip_from((const struct sockaddr *)&address);
	must(ip_equal(ip, &again));
}

static void check_network(const char *list, const char *word)
{
	struct network network;
	struct ip other;

	if (ip_parse(&other, word)) {
		check_address(&other);
		must(network_parse(&network, word) && ip_equal(&network.ip, &other));
	}
	if (!network_parse(&network, word))
		return;
	check_address(&network.ip);
	must(network.bits <= 8 * network.ip.len);
	must(network_has(&network, &network.ip) && network_listed(list, &network.ip));
	for (unsigned bit = 0; bit < 8 * network.ip.len; bit++) {
		other = network.ip;
		other.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		must(network_has(&network, &other) == (bit >= network.bits));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes = { 0 };
	char word[NETWORK_WORD_MAX];
	struct error err;

	buf_add(&bytes, data, size);
	const char *list = buf_cstr(&bytes), *rest = list;
	must(list != NULL);
	bool all = true;
	while (network_next_word(&rest, word)) {
		struct network network;

		all = all && network_parse(&network, word);
		check_network(list, word);
	}
	must((network_list_check("trusted_proxies", list, &err) == 0) == all);
	buf_free(&bytes);
	return 0;
}
