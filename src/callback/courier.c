/* SPDX-License-Identifier: ISC */
/*
 * courier.c: starts couriers, listens to them and ends them. See courier.h.
 */
#include "callback/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "callback/courier_private.h"
#include "callback/upload.h"

#define SAID_MAX ((size_t)4096)
#define GRACE_US (5 * CLOCK_US_PER_SECOND) /* libcurl's own limits come first, as they say what it waited for */

extern char **environ;

struct couriers {
	struct event_base *base;
	struct event *reap;
	LIST_HEAD(, courier) working;
	LIST_HEAD(, courier) dead; /* killed, and not waited for yet */
};

struct courier {
	LIST_ENTRY(courier) link;
	struct couriers *couriers;
	pid_t pid;
	int out; /* what it says; -1: nothing more */
	struct event *heard;
	int64_t patience_us;
	char said[SAID_MAX + 1]; /* from the line end on */
	size_t said_len;
	transfer_fn ended;
	void *arg;
};

/* --- its end --- */

static void courier_free(struct courier *courier)
{
	if (courier->heard)
		event_free(courier->heard);
	if (courier->out >= 0)
		close(courier->out);
	free(courier);
}

static void reap_dead(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval moment = { 0, 10000 };
	struct couriers *couriers = arg;
	struct courier *courier, *next;

	(void)fd;
	(void)what;
	for (courier = LIST_FIRST(&couriers->dead); courier; courier = next) {
		next = LIST_NEXT(courier, link);
		if (waitpid(courier->pid, NULL, WNOHANG) == 0)
			continue;
		LIST_REMOVE(courier, link);
		courier_free(courier);
	}
	if (!LIST_EMPTY(&couriers->dead))
		evtimer_add(couriers->reap, &moment);
}

/* Its number is nobody else's until it was waited for. */
void courier_cancel(struct courier *courier)
{
	struct couriers *couriers = courier->couriers;

	(void)kill(courier->pid, SIGKILL);
	event_del(courier->heard);
	LIST_REMOVE(courier, link);
	LIST_INSERT_HEAD(&couriers->dead, courier, link);
	event_active(couriers->reap, EV_TIMEOUT, 0);
}

static void end_courier(struct courier *courier, const char *problem)
{
	char text[SAID_MAX + 1];
	int code = -1, connected = 1, at = 0;
	struct transfer_result result = { .problem = problem };
	transfer_fn ended = courier->ended;
	void *arg = courier->arg;

	if (!problem) {
		courier->said[courier->said_len] = '\0';
		if (sscanf(courier->said, "\n%d %d %n", &code, &connected, &at) < 2 || at == 0)
			(void)snprintf(text, sizeof(text), "the process that delivers ended without a word");
		else
			str_cut(text, sizeof(text), courier->said + at);
		result.problem = code == 0 ? "" : text;
		result.never_connected = !connected;
		result.is_done = code == 0;
	}
	courier_cancel(courier);
	ended(arg, &result);
}

static void note(struct courier *courier, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && courier->said_len < SAID_MAX; i++)
		if (courier->said_len > 0 || bytes[i] == '\n')
			courier->said[courier->said_len++] = bytes[i];
}

static void on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct courier *courier = arg;
	struct timeval patience = clock_timeval(courier->patience_us);
	char bytes[512];
	ssize_t got;

	if (what & EV_TIMEOUT) {
		end_courier(courier, "Nothing moved for too long");
		return;
	}
	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		note(courier, bytes, (size_t)got);
	if (got == 0)
		end_courier(courier, NULL);
	else if (errno == EAGAIN || errno == EINTR)
		event_add(courier->heard, &patience);
	else
		end_courier(courier, strerror(errno));
}

/* --- its beginning --- */

static const char *truth(bool is)
{
	return is ? "1" : "";
}

static void add_number(struct buf *texts, int64_t number)
{
	buf_addf(texts, "%" PRId64, number);
	buf_add(texts, "", 1);
}

/* *job borrows from request and texts; `texts` holds number texts, one after the other, each with its NUL. */
static void fill_job(struct courier_job *job, const struct transfer_request *request, const char *url,
                     const char *address, const char *numbers)
{
	const struct upload *upload = request->upload;
	const struct destination *destination = &upload->destination;
	const char *size = numbers, *timeout_ms = size + strlen(size) + 1;

	*job = (struct courier_job){
		.is_mail = truth(destination->type == DESTINATION_SMTP),
		.url = url,
		.address = address,
		.ca_file = request->ca_file,
		.user = destination->user,
		.secret = destination->secret,
		.is_key = truth(destination_has_key(destination)),
		.host_key = destination->host_key,
		.from = destination->from,
		.to = destination->to,
		.id = request->id,
		.file_name = strrchr(url, '/') + 1,
		.size = size,
		.sha256 = upload->sha256.data,
		.is_attached = truth(upload->size <= request->attach_max || request->body.len == 0),
		.link = request->body.len > 0 ? request->body.p : "",
		.may_be_plain = truth(request->may_be_plain),
		.timeout_ms = timeout_ms,
	};
}

static void write_job(struct buf *out, const struct courier_job *job)
{
#define FIELD(name) buf_add(out, job->name, strlen(job->name) + 1);
#include "callback/courier_fields.def"
#undef FIELD
}

static int make_job(struct buf *out, const struct transfer_request *request, struct error *err)
{
	char address[ADDRESS_TEXT_LEN], *url = NULL;
	struct buf numbers = { 0 };
	struct courier_job job;

	if (request->upload->size > request->attach_max && request->body.len == 0 &&
	    request->upload->destination.type == DESTINATION_SMTP)
		return error_set(err, ERROR_LIMIT,
		                 "The file of %" PRId64 " bytes is too large to be attached "
		                 "(destination_attachment_max), and there is no link to it",
		                 request->upload->size);
	address_format(address, (const struct sockaddr *)&request->address->storage);
	add_number(&numbers, request->upload->size);
	add_number(&numbers, request->timeout_us / 1000 + 1);
	if (!numbers.failed && curl_url_get(request->url, CURLUPART_URL, &url, 0) == CURLUE_OK) {
		fill_job(&job, request, url, address, numbers.data);
		write_job(out, &job);
	}
	bool is_made = url && !out->failed;
	curl_free(url);
	buf_free(&numbers);
	return is_made ? 0 : error_set(err, ERROR_NOMEM, "out of memory");
}

static void close_pair(const int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

/* The daemon's signals and other descriptors are not the courier's. */
static int spawn(pid_t *pid, int in, int out, int file)
{
	char *const argv[] = { (char[]){ "cdrd" }, (char[]){ COURIER_ARGUMENT }, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	int result = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO) != 0 ||
	                             posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) != 0 ||
	                             posix_spawn_file_actions_adddup2(&actions, file, COURIER_FILE_FD) != 0 ||
	                             posix_spawn_file_actions_addclosefrom_np(&actions, COURIER_FILE_FD + 1) != 0 ||
	                             posix_spawnattr_setsigmask(&attributes, &none) != 0 ||
	                             posix_spawnattr_setsigdefault(&attributes, &all) != 0 ||
	                             posix_spawnattr_setflags(&attributes,
	                                                      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) != 0 ?
	                     ENOMEM :
	                     posix_spawn(pid, "/proc/self/exe", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return result;
}

/* Starts it and tells it the job; its answers come from courier->out. */
static int launch(struct courier *courier, const struct buf *job, int file, struct error *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int result = 0;

	if (job->len > COURIER_JOB_MAX)
		return error_set(err, ERROR_LIMIT, "%zu bytes to tell, at most %zu allowed", job->len, COURIER_JOB_MAX);
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
		result = error_set_errno(err, errno, "pipe");
		close_pair(in);
		return result;
	}
	/* All of it, at once: an empty pipe has room. */
	if (write(in[1], job->data, job->len) != (ssize_t)job->len || fcntl(out[0], F_SETFL, O_NONBLOCK) != 0)
		result = error_set_errno(err, errno, "pipe");
	if (result == 0) {
		int number = spawn(&courier->pid, in[0], out[1], file);

		if (number != 0)
			result = error_set_errno(err, number, "start of the process that delivers");
	}
	if (result == 0) {
		courier->out = out[0];
		out[0] = -1;
	}
	close_pair(in);
	close_pair(out);
	return result;
}

static struct courier *start(struct couriers *couriers, const struct transfer_request *request, const struct buf *job,
                             struct error *err)
{
	struct courier *courier = calloc(1, sizeof(*courier));
	struct timeval patience;

	if (!courier) {
		error_set(err, ERROR_NOMEM, "out of memory");
		return NULL;
	}
	courier->couriers = couriers;
	courier->ended = request->ended;
	courier->arg = request->arg;
	courier->patience_us = request->timeout_us + GRACE_US;
	patience = clock_timeval(courier->patience_us);
	courier->out = -1;
	if (launch(courier, job, request->upload->fd, err) != 0) {
		courier_free(courier);
		return NULL;
	}
	LIST_INSERT_HEAD(&couriers->working, courier, link);
	courier->heard = event_new(couriers->base, courier->out, EV_READ, on_heard, courier);
	if (courier->heard && event_add(courier->heard, &patience) == 0)
		return courier;
	error_set(err, ERROR_NOMEM, "out of memory");
	if (courier->heard)
		courier_cancel(courier);
	return NULL;
}

struct courier *courier_start(struct couriers *couriers, const struct transfer_request *request, struct error *err)
{
	struct buf job = { 0 };
	struct courier *courier = NULL;

	if (!request->guard(request->arg, (const struct sockaddr *)&request->address->storage))
		error_set(err, ERROR_INVALID, "the address is not allowed");
	else if (make_job(&job, request, err) == 0)
		courier = start(couriers, request, &job, err);
	if (job.data)
		explicit_bzero(job.data, job.len);
	buf_free(&job);
	return courier;
}

/* --- all of them --- */

struct couriers *couriers_new(struct event_base *base, struct error *err)
{
	struct couriers *couriers = calloc(1, sizeof(*couriers));

	if (couriers) {
		couriers->base = base;
		LIST_INIT(&couriers->working);
		LIST_INIT(&couriers->dead);
		couriers->reap = evtimer_new(base, reap_dead, couriers);
		if (couriers->reap)
			return couriers;
	}
	free(couriers);
	error_set(err, ERROR_NOMEM, "callbacks: out of memory");
	return NULL;
}

void couriers_free(struct couriers *couriers)
{
	struct courier *courier;

	if (!couriers)
		return;
	while ((courier = LIST_FIRST(&couriers->working)))
		courier_cancel(courier);
	while ((courier = LIST_FIRST(&couriers->dead))) {
		(void)waitpid(courier->pid, NULL, 0);
		LIST_REMOVE(courier, link);
		courier_free(courier);
	}
	event_free(couriers->reap);
	free(couriers);
}
