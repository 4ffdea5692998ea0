/* SPDX-License-Identifier: ISC */
/*
 * host_address.h: a host and a port of a setting, and the address that its name leads to.
 */
#ifndef CDRD_BASE_HOST_ADDRESS_H
#define CDRD_BASE_HOST_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define HOST_NAME_MAX_LEN 127 /* with the port */
#define HOST_CONNECT_TO_SIZE 192

/* Where the port begins in "host:port" or "[IPv6]:port"; NULL if it is neither. */
const char *host_port_of(const char *name);

/* The host of such a name, whose port is at `port`, without brackets. */
void host_without_port(char host[HOST_NAME_MAX_LEN + 1], const char *name, const char *port);

/* Writes what libcurl takes as CURLOPT_CONNECT_TO, of a numeric address. */
void host_write_connect_to(char connect_to[HOST_CONNECT_TO_SIZE], const char *address, const char *port);

/* Writes what libcurl takes as CURLOPT_CONNECT_TO, "::address:port". Blocks while the name is resolved. `setting` is what errors
 * name; ERROR_INVALID. */
MUST_CHECK int host_resolve(const char *setting, const char *name, char connect_to[HOST_CONNECT_TO_SIZE],
                            struct error *err);

#endif
