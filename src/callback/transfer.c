/* SPDX-License-Identifier: ISC */
/*
 * transfer.c: POSTs, and PUTs of files, on the loop. See transfer.h.
 */
#include "callback/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/curl_loop.h"
#include "callback/upload.h"
#include "config.h"

/* An answer's body is ignored, but an S3 server's; a transfer with a longer one is aborted. */
#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define TAG_MAX 255

struct transfers {
	struct curl_loop *loop;
	LIST_HEAD(, transfer) all;
};

struct transfer {
	LIST_ENTRY(transfer) link;
	struct transfers *transfers;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	transfer_guard guard;
	transfer_fn ended;
	void *arg;
	const struct upload *upload; /* or NULL */
	int64_t begin;               /* of what is sent of it */
	int64_t length;              /* the same */
	int64_t sent;                /* of that */
	size_t answer_bytes;
	struct buf answer; /* of an S3 server */
	bool refused;
	char problem[CURL_ERROR_SIZE];
};

static void transfer_free(struct transfer *transfer)
{
	if (transfer->easy) {
		curl_loop_remove(transfer->transfers->loop, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->connect_to);
	buf_free(&transfer->answer);
	LIST_REMOVE(transfer, link);
	free(transfer);
}

static bool is_cut_answer(const struct transfer *transfer, CURLcode code)
{
	return code == CURLE_WRITE_ERROR && transfer->answer_bytes > ANSWER_BYTES_MAX;
}

/* Empty if there is none, or a longer one. */
static void copy_tag(const struct transfer *transfer, char tag[TAG_MAX + 1])
{
	struct curl_header *header;

	if (curl_easy_header(transfer->easy, "ETag", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
	    strlen(header->value) <= TAG_MAX)
		(void)snprintf(tag, TAG_MAX + 1, "%s", header->value);
}

static void end_transfer(void *ended_transfer, CURL *easy, CURLcode code)
{
	struct transfer *transfer = ended_transfer;
	struct transfer_result result = { .problem = "", .refused = transfer->refused };
	curl_off_t retry_after = 0, connect_us = 0;
	transfer_fn ended = transfer->ended;
	void *arg = transfer->arg;
	char problem[CURL_ERROR_SIZE], tag[TAG_MAX + 1] = "";
	struct buf answer = transfer->answer; /* which outlives the transfer */

	(void)easy;
	transfer->answer = (struct buf){ 0 };
	if (code == CURLE_OK || is_cut_answer(transfer, code)) {
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &result.status);
		curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
		result.retry_after_s = retry_after;
		copy_tag(transfer, tag);
		result.answer = buf_str(&answer);
		result.tag = str_from(tag);
	} else {
		str_cut(problem, sizeof(problem), transfer->problem[0] ? transfer->problem : curl_easy_strerror(code));
		result.problem = problem;
		curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
		result.never_connected = connect_us == 0;
	}
	transfer_free(transfer);
	ended(arg, &result);
	buf_free(&answer);
}

static size_t take_answer(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;

	transfer->answer_bytes += size * count;
	if (transfer->answer_bytes > ANSWER_BYTES_MAX)
		return 0;
	if (transfer->upload && transfer->upload->sigv4.len > 0)
		buf_add(&transfer->answer, data, size * count);
	return transfer->answer.failed ? 0 : size * count;
}

static size_t read_file(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	int64_t left = transfer->length - transfer->sent;
	size_t wanted = (int64_t)(size * count) < left ? size * count : (size_t)left;
	ssize_t got = pread(transfer->upload->fd, data, wanted, transfer->begin + transfer->sent);

	if (got < 0)
		return CURL_READFUNC_ABORT;
	transfer->sent += got;
	return (size_t)got;
}

/* libcurl starts over where a connection was closed before anything was sent. */
static int seek_file(void *arg, curl_off_t offset, int origin)
{
	struct transfer *transfer = arg;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->sent = offset;
	return CURL_SEEKFUNC_OK;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = arg;

	(void)purpose;
	if (!transfer->guard(transfer->arg, &address->addr)) {
		transfer->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* "::address:port": whatever the host and port, connect to this address. */
static int pin_address(struct transfer *transfer, const struct sockaddr *address)
{
	char text[ADDRESS_TEXT_LEN], entry[ADDRESS_TEXT_LEN + 8];

	address_format(text, address);
	snprintf(entry, sizeof(entry), strchr(text, ':') ? "::[%s]:" : "::%s:", text);
	transfer->connect_to = curl_slist_append(NULL, entry);
	return transfer->connect_to ? 0 : -1;
}

static long to_ms(int64_t time_us)
{
	int64_t ms = time_us / 1000;

	return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static void set_where(CURL *easy, struct transfer *transfer, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_CURLU, request->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, to_ms(request->connect_timeout_us));
	if (!request->upload) {
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_ms(request->timeout_us));
		return;
	}
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, UPLOAD_SPEED_MIN);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, to_ms(request->timeout_us) / 1000 + 1);
}

static void set_body(CURL *easy, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.p : "");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
}

static void set_upload(CURL *easy, struct transfer *transfer)
{
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->length);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_file);
	curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_file);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
}

static void set_credentials(CURL *easy, const struct upload *upload)
{
	const struct destination *destination = &upload->destination;

	/* Each alone: an access key may have a colon. */
	if (destination->user[0]) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, destination->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, destination->secret);
	}
	if (upload->sigv4.len > 0)
		curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, upload->sigv4.data);
}

static void set_what(CURL *easy, struct transfer *transfer, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "cdrd/" PACKAGE_VERSION);
	if (request->upload)
		set_credentials(easy, request->upload);
	if (request->upload && (!request->method || request->is_part))
		set_upload(easy, transfer);
	else
		set_body(easy, request);
	if (request->method)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request, struct error *err)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer) {
		curl_slist_free_all(request->headers);
		error_set(err, ERROR_NOMEM, "out of memory");
		return NULL;
	}
	transfer->transfers = transfers;
	transfer->headers = request->headers;
	transfer->upload = request->upload;
	transfer->begin = request->is_part ? request->part_offset : 0;
	transfer->length = request->is_part ? request->part_bytes : request->upload ? request->upload->size : 0;
	transfer->guard = request->guard;
	transfer->ended = request->ended;
	transfer->arg = request->arg;
	LIST_INSERT_HEAD(&transfers->all, transfer, link);
	transfer->easy = curl_easy_init();
	if (!transfer->easy || pin_address(transfer, (const struct sockaddr *)&request->address->storage) != 0)
		goto fail;
	set_where(transfer->easy, transfer, request);
	set_what(transfer->easy, transfer, request);
	curl_loop_set_trust(transfer->easy, request->ca_file);
	if (curl_loop_add(transfers->loop, transfer->easy) != 0)
		goto fail;
	return transfer;
fail:
	transfer_free(transfer);
	error_set(err, ERROR_NOMEM, "out of memory");
	return NULL;
}

void transfer_cancel(struct transfer *transfer)
{
	transfer_free(transfer);
}

struct transfers *transfers_new(struct event_base *base, struct error *err)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));

	if (!transfers) {
		error_set(err, ERROR_NOMEM, "callbacks: out of memory");
		return NULL;
	}
	LIST_INIT(&transfers->all);
	transfers->loop = curl_loop_new(base, end_transfer, err);
	if (transfers->loop)
		return transfers;
	free(transfers);
	return NULL;
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	while (!LIST_EMPTY(&transfers->all))
		transfer_free(LIST_FIRST(&transfers->all));
	curl_loop_free(transfers->loop);
	free(transfers);
}
