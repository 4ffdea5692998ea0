/* SPDX-License-Identifier: ISC */
/*
 * audit.h: records who has changed what.
 *
 * One JSON object a line, appended to the file that audit_log names, and on disk before the change is answered; with
 * audit_log = log, lines go to the log instead, under the topic audit. cdrd never reads or shortens it.
 *
 *	{"time":"2026-11-24T14:20:11.123456+00:00","action":"secret revoke","text":"secret 2 of account abcd1234 revoked",
 *	 "uid":0,"pid":4711,"args":{"account":"abcd1234","number":"2"}}
 *
 * "uid" and "pid" are those of the client of the admin socket; what came through operator_listen has "operator", a name,
 * in their place, and what the daemon did by itself (started, reloaded) has none of them.
 */
#ifndef CDRD_BASE_AUDIT_H
#define CDRD_BASE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/config.h"
#include "base/error.h"
#include "base/str.h"

struct audit;

/* Opens what config->audit_log says. */
MUST_CHECK struct audit *audit_new(const struct config *config, struct error *err);

/* Does nothing on NULL. */
void audit_free(struct audit *audit);

/* After a reload, and when the file was moved away: opens what config->audit_log says now. On -1 nothing changes. */
MUST_CHECK int audit_reopen(struct audit *audit, struct error *err);

struct audit_entry {
	const char *action;        /* a command's words, or "daemon start" */
	const char *text;          /* for a person */
	const char *operator_name; /* who has asked for it by HTTP; NULL or "" for nobody */
	bool has_peer;             /* a client of the admin socket: */
	uid_t uid;
	pid_t pid;
	struct str args; /* a JSON object without secrets, or empty */
};

/* Blocks until it is on disk. A line that cannot be written goes to the log, with the cause. Does nothing on NULL. */
void audit_write(struct audit *audit, const struct audit_entry *entry);

/* Lines that could not be written to the file since the start. */
uint64_t audit_failures(const struct audit *audit);

#endif
