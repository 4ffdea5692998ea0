/* SPDX-License-Identifier: ISC */
/*
 * logins.c: a table of sets, WAYS slots each; an address is only ever in the set that its hash selects. See logins.h.
 */
#include "limits/logins.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define SETS 1024
#define WAYS 4
#define FAILURES_MAX 40

struct slot {
	struct logins_address address;
	int failures; /* 0: free */
	int waiting;  /* answers being delayed */
	int left;     /* of these, to clients that are gone: they count until left_until_us */
	int64_t left_until_us;
	int64_t at_us; /* of the last failure, or when the last one was forgiven */
};

struct logins {
	struct logins_stats stats;
	uint64_t seed;
	uint64_t waiting, left;
	int64_t left_until_us; /* the latest of all */
	struct slot slots[SETS][WAYS];
};

struct logins_address logins_address_of(const struct sockaddr *address)
{
	struct logins_address own = { { 0 } };

	if (address->sa_family == AF_INET)
		memcpy(own.bytes + 4, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	if (address->sa_family != AF_INET6)
		return own;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

	if (IN6_IS_ADDR_V4MAPPED(six))
		memcpy(own.bytes + 4, six->s6_addr + 12, 4);
	else
		memcpy(own.bytes, six, sizeof(own.bytes));
	return own;
}

struct logins *logins_new(void)
{
	struct logins *logins = calloc(1, sizeof(*logins));

	if (logins)
		id_random(&logins->seed, sizeof(logins->seed));
	return logins;
}

void logins_free(struct logins *logins)
{
	free(logins);
}

bool logins_any_waiting(const struct logins *logins)
{
	return logins->waiting > 0;
}

static size_t set_of(const struct logins *logins, const struct logins_address *address)
{
	return id_hash64(address, sizeof(*address), logins->seed) % SETS;
}

static struct slot *find(struct logins *logins, const struct logins_address *address)
{
	struct slot *set = logins->slots[set_of(logins, address)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].failures > 0 && memcmp(&set[i].address, address, sizeof(*address)) == 0)
			return &set[i];
	return NULL;
}

static struct slot *find_or_make(struct logins *logins, const struct logins_address *address)
{
	struct slot *found = find(logins, address);
	struct slot *set = logins->slots[set_of(logins, address)];

	if (found)
		return found;
	found = &set[0];
	for (int i = 1; i < WAYS; i++)
		if (set[i].at_us < found->at_us)
			found = &set[i];
	logins->waiting -= (uint64_t)found->waiting;
	logins->left -= (uint64_t)found->left;
	*found = (struct slot){ .address = *address };
	return found;
}

/* The time is up that clients which are gone did not wait for. */
static void end_left(struct logins *logins, struct slot *slot)
{
	logins->waiting -= (uint64_t)slot->left;
	logins->left -= (uint64_t)slot->left;
	slot->waiting -= slot->left;
	slot->left = 0;
}

static void end_all_left(struct logins *logins)
{
	for (size_t set = 0; set < SETS && logins->left > 0; set++)
		for (int i = 0; i < WAYS; i++)
			end_left(logins, &logins->slots[set][i]);
}

bool logins_may_try(struct logins *logins, const struct logins_address *address, int64_t now_us)
{
	struct slot *slot;
	bool may;

	if (logins->left > 0 && now_us >= logins->left_until_us)
		end_all_left(logins);
	slot = find(logins, address);
	if (slot && now_us >= slot->left_until_us)
		end_left(logins, slot);
	may = !slot || slot->waiting < LOGINS_WAITING_MAX;
	logins->stats.refused += !may;
	return may;
}

void logins_get_stats(const struct logins *logins, struct logins_stats *stats)
{
	*stats = logins->stats;
}

static void forgive(struct slot *slot, int64_t now_us)
{
	int64_t times = (now_us - slot->at_us) / LOGINS_FORGIVE_US;

	slot->failures = times < slot->failures ? slot->failures - (int)times : 0;
}

int64_t logins_failed(struct logins *logins, const struct logins_address *address, int64_t now_us, int64_t delay_max_us)
{
	struct slot *slot = find_or_make(logins, address);
	int64_t delay_us = LOGINS_DELAY_FIRST_US;

	logins->stats.failed++;
	forgive(slot, now_us);
	slot->at_us = now_us;
	if (slot->failures < FAILURES_MAX)
		slot->failures++;
	if (slot->failures <= LOGINS_FREE)
		return 0;
	for (int i = LOGINS_FREE + 1; i < slot->failures && delay_us < delay_max_us; i++)
		delay_us *= 2;
	if (delay_us > delay_max_us)
		delay_us = delay_max_us;
	if (delay_us > 0) {
		slot->waiting++;
		logins->waiting++;
	}
	return delay_us;
}

void logins_answered(struct logins *logins, const struct logins_address *address)
{
	struct slot *slot = find(logins, address);

	if (!slot || slot->waiting == slot->left)
		return; /* forgotten meanwhile */
	slot->waiting--;
	logins->waiting--;
}

void logins_left(struct logins *logins, const struct logins_address *address, int64_t until_us)
{
	struct slot *slot = find(logins, address);

	if (!slot || slot->waiting == slot->left)
		return;
	slot->left++;
	logins->left++;
	if (until_us > slot->left_until_us)
		slot->left_until_us = until_us;
	if (until_us > logins->left_until_us)
		logins->left_until_us = until_us;
}
