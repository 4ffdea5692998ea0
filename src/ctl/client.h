/* SPDX-License-Identifier: ISC */
/*
 * client.h: cdrctl's end of the admin socket. The protocol is in admin/admin.h.
 */
#ifndef CDRD_CTL_CLIENT_H
#define CDRD_CTL_CLIENT_H

#include <stdbool.h>

#include "admin/args.h"
#include "admin/tree.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

struct client {
	int fd;
	const char *path;
	struct buf in;
	size_t used;           /* bytes of `in` that earlier lines took */
	size_t scanned;        /* bytes at the beginning of `in` known to have no line end */
	bool own_lines;        /* the command has lines of its own; set after client_open */
	bool cannot_send;      /* the daemon no longer reads; its answer says why */
	struct tree *progress; /* the last progress line */
};

/* Errors name the socket. */
MUST_CHECK int client_open(struct client *client, const char *path, struct error *err);
void client_close(struct client *client);

/* Appends a request's line. */
void client_write_request(struct buf *out, const char *words, const struct args *args);

/* A line from the daemon; valid until the next. */
struct client_line {
	const struct tree *progress; /* the object, or NULL */
	const struct tree *other;    /* a line of the command's own, before the answer, or NULL */
	bool is_answer;
	struct str result; /* JSON of the answer's result, with a NUL after it; none if its p is NULL */
};

/* 1 with the next line, 0 if there is none yet, -1 if it is an error: *err is the daemon's, and line->result is set if
 * the command has done its work all the same. */
MUST_CHECK int client_next_line(struct client *client, struct client_line *line, struct error *err);

/* Returns what has arrived of the `max` raw bytes after the last line; valid until the next call. Empty: pump first. */
struct str client_take_bytes(struct client *client, size_t max);

/* Waits until it could send some of *unsent, which it shortens, or receive something. -1 when the daemon is gone. */
MUST_CHECK int client_pump(struct client *client, struct str *unsent, struct error *err);

#endif
