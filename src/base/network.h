/* SPDX-License-Identifier: ISC */
/*
 * network.h: IP addresses and networks, and the lists of them that are settings.
 */
#ifndef CDRD_BASE_NETWORK_H
#define CDRD_BASE_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

/* 4 bytes of an IPv4 address, also of one mapped into IPv6, or 16 of an IPv6 one; 0 of anything else. */
struct ip {
	size_t len;
	uint8_t bytes[16];
};

struct network {
	struct ip ip;
	unsigned bits;
};

struct ip ip_from(const struct sockaddr *address);
void ip_address(const struct ip *ip, struct sockaddr_storage *address); /* AF_UNSPEC if it is neither */

/* "203.0.113.7", "2001:db8::1". */
bool ip_parse(struct ip *ip, const char *text);

#define IP_TEXT_LEN INET6_ADDRSTRLEN

void ip_format(char out[IP_TEXT_LEN], const struct ip *ip);

/* "10.0.0.0/8", "10.1.2.3", "fd00::/8"; bits after the network's are ignored. */
bool network_parse(struct network *network, const char *text);
bool network_has(const struct network *network, const struct ip *ip);

#define NETWORK_WORD_MAX 256

/* The next word of a list, without blanks around it; false at the end. Empty words are skipped. */
bool network_next_word(const char **list, char word[NETWORK_WORD_MAX]);

/* Does a list of addresses and networks have it? */
bool network_listed(const char *list, const struct ip *ip);

/* ERROR_INVALID, which names the setting and the word, unless all words are addresses or networks. */
MUST_CHECK int network_list_check(const char *setting, const char *list, struct error *err);

#endif
