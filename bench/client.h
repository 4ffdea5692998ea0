/* SPDX-License-Identifier: ISC */
/*
 * client.h: a load client: a few HTTP/1.1 connections kept busy from one thread.
 *
 * The caller says what the next request is and is told of each answer; the client keeps every connection busy with
 * one request at a time until there is no next one. Own code rather than wrk, since bodies of a benchmark of ingest
 * differ from request to request and are larger than scripts of wrk like.
 */
#ifndef CDRD_BENCH_CLIENT_H
#define CDRD_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* The head is copied, the body stays the caller's until its answer. */
struct client_request {
	char head[4096];
	size_t head_len;
	const char *body;
	size_t body_len;
};

struct client_answer {
	int status;
	size_t body_len;
	const char *beginning; /* of the body, NUL terminated, cut */
	int64_t latency_us;    /* from the first byte sent to the last byte received */
};

struct client_work {
	/* Fills in the next request; false when there is none. */
	bool (*next)(void *arg, struct client_request *request);
	void (*answered)(void *arg, const struct client_answer *answer);
	void *arg;
};

/* Connects to 127.0.0.1:port and works until there is no next request and all are answered. Returns 0, or -1 with a
 * message on stderr. */
int client_run(int port, int connections, const struct client_work *work);

int64_t client_now_us(void);

#endif
