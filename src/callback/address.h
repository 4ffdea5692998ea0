/* SPDX-License-Identifier: ISC */
/*
 * address.h: which addresses callbacks may go to; private to callback/.
 *
 * A callback's URL comes from a client, and cdrd can reach what the client cannot: it must not be made to speak to the
 * machine itself, its neighbours or a cloud's metadata service. So an address is refused unless it is public, as the
 * IANA's special-purpose registries have it, and of another machine, or callback_allow lists it, its network or the
 * URL's host name. IPv4 addresses inside IPv6 ones (mapped, NAT64, 6to4) are judged as IPv4 addresses.
 */
#ifndef CDRD_CALLBACK_ADDRESS_H
#define CDRD_CALLBACK_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct address {
	struct sockaddr_storage storage;
	socklen_t len;
};

#define ADDRESS_TEXT_LEN INET6_ADDRSTRLEN

/* "203.0.113.7" or "2001:db8::1", without the port. */
void address_format(char out[ADDRESS_TEXT_LEN], const struct sockaddr *address);

/* NULL for a public address of another machine, or its kind otherwise: "loopback", "private", "of this machine", ... */
const char *address_special(const struct sockaddr *address);

/* Does the list have the address, a network that contains it, or the host's name? Words that cannot be read match
 * nothing. */
bool address_listed(const char *allow, const char *host, const struct sockaddr *address);

/* May callbacks connect to it? If it is public or listed. */
bool address_allowed(const char *allow, const char *host, const struct sockaddr *address);

#endif
