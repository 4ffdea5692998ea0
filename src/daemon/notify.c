/* SPDX-License-Identifier: ISC */
/*
 * notify.c: see notify.h.
 */
#include <config.h>

#include "daemon/notify.h"

#ifdef HAVE_SYSTEMD

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

void notify_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void notify_waiting(const char *status, int64_t more_us)
{
	(void)sd_notifyf(0, "STATUS=%s\nEXTEND_TIMEOUT_USEC=%lld", status, (long long)more_us);
}

int64_t notify_alive_every_us(void)
{
	uint64_t limit_us = 0;

	/* Twice within the limit, so that a single late one is no failure. */
	return sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t)(limit_us / 2) : 0;
}

void notify_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

#else

void notify_ready(const char *status)
{
	(void)status;
}

void notify_reloading(void)
{
}

void notify_stopping(void)
{
}

void notify_waiting(const char *status, int64_t more_us)
{
	(void)status;
	(void)more_us;
}

int64_t notify_alive_every_us(void)
{
	return 0;
}

void notify_alive(void)
{
}

#endif
