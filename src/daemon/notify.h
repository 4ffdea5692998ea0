/* SPDX-License-Identifier: ISC */
/*
 * notify.h: tells systemd the daemon's state (sd_notify(3)). Without systemd, or without NOTIFY_SOCKET in the
 * environment, these do nothing.
 */
#ifndef CDRD_DAEMON_NOTIFY_H
#define CDRD_DAEMON_NOTIFY_H

#include <stdint.h>

/* The daemon serves; `status` is shown by `systemctl status`. Also ends a reload. */
void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(void);

/* The start takes longer, at most `more_us` from now on; `status` says for what. */
void notify_waiting(const char *status, int64_t more_us);

/* How often systemd wants notify_alive (WatchdogSec=), microseconds; 0: not at all. */
int64_t notify_alive_every_us(void);
void notify_alive(void);

#endif
