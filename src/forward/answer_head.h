/* SPDX-License-Identifier: ISC */
/*
 * answer_head.h: the head of an answer that another server gives, line by line, and what of it is for the client.
 */
#ifndef CDRD_FORWARD_ANSWER_HEAD_H
#define CDRD_FORWARD_ANSWER_HEAD_H

#include "base/buf.h"
#include "http/http.h"

#define ANSWER_HEAD_MAX 65536

/* Zeroed at first. */
struct answer_head {
	struct buf lines; /* of fields; each with its line end */
	struct buf type;  /* Content-Type; empty if there is none */
	uint64_t length;  /* of the body; HTTP_LENGTH_UNKNOWN */
	int status;
	bool has_ended;
};

/* Takes a line with its line end. False when it cannot be: it is too long, no head, or there is no memory. What comes before the
 * answer itself (100 to 199) is passed over. */
bool answer_head_take(struct answer_head *head, struct str line);

/* Adds to the request's answer what of the fields is for the client: not what is of a connection alone, nor what the server
 * of the request writes itself. */
void answer_head_pass_on(const struct answer_head *head, struct http_request *request);

void answer_head_free(struct answer_head *head);

/* Is it a field that concerns a connection alone (RFC 9110, 7.6.1), and is not handed on? */
bool answer_head_is_of_connection(struct str name);

#endif
