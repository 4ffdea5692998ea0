/* SPDX-License-Identifier: ISC */
/*
 * logins.h: addresses that sent wrong credentials, and how long each must wait for the answer to the next.
 *
 * The first few failures are answered at once; then the delay doubles with each up to the maximum. While
 * LOGINS_WAITING_MAX answers to an address are being delayed, its credentials are not even checked, so guessing in
 * parallel gains nothing. Nor does a client that goes away: the answer that it did not wait for counts until it would have
 * been sent. A failure is forgiven every LOGINS_FORGIVE_US. The table is of a fixed size: under an attack
 * from more addresses than that, those that failed longest ago are forgotten. Pure.
 */
#ifndef CDRD_LIMITS_LOGINS_H
#define CDRD_LIMITS_LOGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGINS_FREE 3
#define LOGINS_DELAY_FIRST_US INT64_C(100000)
#define LOGINS_FORGIVE_US INT64_C(30000000)
#define LOGINS_WAITING_MAX 16

struct logins;

/* An IPv4 address, or the first half of an IPv6 one: one customer usually has the whole half. */
struct logins_address {
	uint8_t bytes[8];
};

struct sockaddr;
struct logins_address logins_address_of(const struct sockaddr *address);

struct logins *logins_new(void);
void logins_free(struct logins *logins);

/* Is any answer being delayed? If not, there is no need to find out an address. */
bool logins_any_waiting(const struct logins *logins);

/* May credentials from this address be checked now? */
bool logins_may_try(struct logins *logins, const struct logins_address *address, int64_t now_us);

/* They were wrong: returns how long to delay the answer. When that is not 0, one of the two below must follow. */
int64_t logins_failed(struct logins *logins, const struct logins_address *address, int64_t now_us,
                      int64_t delay_max_us);
void logins_answered(struct logins *logins, const struct logins_address *address);

/* The client has gone before the answer, which was to be sent at `until_us`. */
void logins_left(struct logins *logins, const struct logins_address *address, int64_t until_us);

/* Since the start. */
struct logins_stats {
	uint64_t failed;  /* wrong credentials */
	uint64_t refused; /* requests that were not even looked at, as too many answers were being delayed */
};
void logins_get_stats(const struct logins *logins, struct logins_stats *stats);

#endif
