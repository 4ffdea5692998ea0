/* SPDX-License-Identifier: ISC */
/*
 * places.h: countries and mobile networks that sample numbers belong to.
 *
 * Columns of one record that speak of a place (country, country_name, network, network_name, the telephone number)
 * must agree with each other; a record draws one row and one network of it and all those columns are made from them.
 */
#ifndef CDRD_GEN_PLACES_H
#define CDRD_GEN_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define GEN_NETWORKS_MAX 4

struct gen_network {
	struct str code; /* mobile country and network code, e.g. 23410 */
	struct str name;
};

struct gen_place {
	struct str country; /* ISO 3166-1 alpha-2 */
	struct str name;
	struct str prefix; /* country calling code and what mobile numbers begin with */
	int digits;        /* that follow the prefix, at most 10 */
	struct str locale;
	uint32_t price; /* of a message, in 10^-5 of the currency */
	int networks_count;
	struct gen_network networks[GEN_NETWORKS_MAX];
};

extern const struct gen_place gen_places[];
extern const size_t gen_places_count;

#endif
