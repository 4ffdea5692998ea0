/* SPDX-License-Identifier: ISC */
/*
 * client.c: the connections and their loop over epoll.
 *
 * Answers are expected with Content-Length, as cdrd sends them; all of a body is read, and its beginning kept.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_HEAD_MAX 16384
#define BEGINNING_MAX 256
#define READ_BYTES 262144

struct connection {
	int fd;
	bool busy;
	struct client_request request;
	size_t sent; /* of head and body together */
	int64_t started_us;
	char head[ANSWER_HEAD_MAX + 1];
	size_t head_len; /* received, until the answer's head is whole */
	bool in_body;
	int status;
	size_t body_len, body_received;
	char beginning[BEGINNING_MAX + 1];
};

struct loop {
	int epoll;
	int busy;
	const struct client_work *work;
};

int64_t client_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	return -1;
}

static int watch(struct loop *loop, struct connection *c, int operation, bool writing)
{
	struct epoll_event event = { .events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c };

	return epoll_ctl(loop->epoll, operation, c->fd, &event) < 0 ? fail("epoll_ctl") : 0;
}

static int open_connection(struct loop *loop, struct connection *c, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("connecting");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return watch(loop, c, EPOLL_CTL_ADD, false);
}

/* Sends what the socket takes; asks for EPOLLOUT when that is not all. */
static int send_more(struct loop *loop, struct connection *c)
{
	const struct client_request *request = &c->request;
	size_t total = request->head_len + request->body_len;

	while (c->sent < total) {
		size_t of_body = c->sent > request->head_len ? c->sent - request->head_len : 0;
		size_t of_head = c->sent < request->head_len ? c->sent : request->head_len;
		struct iovec parts[2] = {
			{ (void *)(uintptr_t)(request->head + of_head), request->head_len - of_head },
			{ (void *)(uintptr_t)(request->body + of_body), request->body_len - of_body },
		};
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = request->body_len > 0 ? 2 : 1 };
		ssize_t sent = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return watch(loop, c, EPOLL_CTL_MOD, true);
		if (sent < 0)
			return fail("sending");
		c->sent += (size_t)sent;
	}
	return watch(loop, c, EPOLL_CTL_MOD, false);
}

static int start_next(struct loop *loop, struct connection *c)
{
	if (c->busy) {
		c->busy = false;
		loop->busy--;
	}
	if (!loop->work->next(loop->work->arg, &c->request))
		return 0;
	c->busy = true;
	loop->busy++;
	c->sent = 0;
	c->head_len = 0;
	c->in_body = false;
	c->body_received = 0;
	c->started_us = client_now_us();
	return send_more(loop, c);
}

/* Reads status and length of a head that is whole. */
static int read_head(struct connection *c)
{
	const char *length = strcasestr(c->head, "\r\ncontent-length:");

	if (sscanf(c->head, "HTTP/1.1 %d", &c->status) != 1 || !length) {
		fprintf(stderr, "load: an answer that is none, or without Content-Length: %.200s\n", c->head);
		return -1;
	}
	c->body_len = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
	c->in_body = true;
	return 0;
}

static void take_body(struct connection *c, const char *data, size_t len)
{
	if (c->body_received < BEGINNING_MAX) {
		size_t kept = BEGINNING_MAX - c->body_received;

		kept = len < kept ? len : kept;
		memcpy(c->beginning + c->body_received, data, kept);
		c->beginning[c->body_received + kept] = '\0';
	}
	c->body_received += len;
}

/* Takes bytes until the head's empty line; what follows is the body's. */
static int take_head(struct connection *c, const char *data, size_t len)
{
	size_t before = c->head_len;
	size_t taken = ANSWER_HEAD_MAX - before < len ? ANSWER_HEAD_MAX - before : len;
	char *end;
	size_t of_head;

	memcpy(c->head + before, data, taken);
	c->head_len += taken;
	c->head[c->head_len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end) {
		if (c->head_len < ANSWER_HEAD_MAX)
			return 0;
		fprintf(stderr, "load: the head of an answer is longer than %d bytes\n", ANSWER_HEAD_MAX);
		return -1;
	}
	of_head = (size_t)(end + 4 - c->head) - before;
	end[2] = '\0';
	if (read_head(c) < 0)
		return -1;
	take_body(c, data + of_head, len - of_head);
	return 0;
}

static int finish_answer(struct loop *loop, struct connection *c)
{
	struct client_answer answer = {
		.status = c->status,
		.body_len = c->body_len,
		.beginning = c->body_len > 0 ? c->beginning : "",
		.latency_us = client_now_us() - c->started_us,
	};

	loop->work->answered(loop->work->arg, &answer);
	return start_next(loop, c);
}

static int receive_some(struct loop *loop, struct connection *c)
{
	static char data[READ_BYTES];
	ssize_t len = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (len < 0)
		return fail("receiving");
	if (len == 0 || !c->busy) {
		fprintf(stderr, "load: the server closed a connection or spoke unasked\n");
		return -1;
	}
	if (c->in_body)
		take_body(c, data, (size_t)len);
	else if (take_head(c, data, (size_t)len) < 0)
		return -1;
	return c->in_body && c->body_received >= c->body_len ? finish_answer(loop, c) : 0;
}

static int turn(struct loop *loop)
{
	struct epoll_event events[64];
	int count = epoll_wait(loop->epoll, events, 64, -1);

	if (count < 0)
		return errno == EINTR ? 0 : fail("epoll_wait");
	for (int i = 0; i < count; i++) {
		struct connection *c = events[i].data.ptr;

		if ((events[i].events & EPOLLOUT) != 0 && c->busy && send_more(loop, c) < 0)
			return -1;
		if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 && receive_some(loop, c) < 0)
			return -1;
	}
	return 0;
}

int client_run(int port, int connections, const struct client_work *work)
{
	struct loop loop = { .epoll = epoll_create1(0), .work = work };
	struct connection *list = calloc((size_t)connections, sizeof(*list));
	int opened = 0;
	int result = -1;

	if (!list || loop.epoll < 0) {
		fail("starting");
		goto out;
	}
	for (; opened < connections; opened++)
		if (open_connection(&loop, &list[opened], port) < 0)
			goto out;
	for (int i = 0; i < connections; i++)
		if (start_next(&loop, &list[i]) < 0)
			goto out;
	while (loop.busy > 0)
		if (turn(&loop) < 0)
			goto out;
	result = 0;
out:
	for (int i = 0; i < opened; i++)
		close(list[i].fd);
	free(list);
	if (loop.epoll >= 0)
		close(loop.epoll);
	return result;
}
