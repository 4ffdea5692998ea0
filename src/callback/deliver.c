/* SPDX-License-Identifier: ISC */
/*
 * deliver.c: one attempt at a callback: its row is read, its host resolved, its addresses checked and tried in turn.
 *
 * callback_timeout is for all of it; callback_connect_timeout for each address. Another address is tried only if the
 * connection failed: a server that accepted it may have acted on the event.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/log.h"
#include "callback/callbacks_private.h"
#include "callback/multipart.h"
#include "callback/secret.h"
#include "callback/upload.h"
#include "callback/url.h"
#include "meta/rows.h"

struct delivery {
	struct callback *callback;
	struct callback_url url;
	struct buf body;
	struct upload upload; /* instead of the body */
	const char *file_type;
	struct multipart multipart;
	bool is_given_up; /* and its upload in parts is being aborted */
	struct lookup *lookup;
	struct event *lookup_timer;
	struct transfer *transfer;
	struct courier *courier;                         /* instead of a transfer */
	struct address addresses[RESOLVE_ADDRESSES_MAX]; /* the allowed ones */
	size_t addresses_count;
	size_t address_at;
	int64_t deadline_us; /* monotonic */
	bool refused;
	char problem[CALLBACK_ERROR_MAX + 1];
};

static void delivery_free(struct delivery *delivery)
{
	if (delivery->lookup)
		lookup_cancel(delivery->lookup);
	if (delivery->transfer)
		transfer_cancel(delivery->transfer);
	if (delivery->courier)
		courier_cancel(delivery->courier);
	if (delivery->lookup_timer)
		event_free(delivery->lookup_timer);
	callback_url_free(&delivery->url);
	buf_free(&delivery->body);
	multipart_end(&delivery->multipart);
	upload_end(&delivery->upload);
	free(delivery);
}

void deliver_cancel(struct delivery *delivery)
{
	delivery->callback->delivery = NULL;
	delivery_free(delivery);
}

static void take_step(struct delivery *delivery);

static void end_delivery(struct delivery *delivery, const struct outcome *outcome)
{
	struct callback *callback = delivery->callback;

	if (delivery->is_given_up) {
		log_warn("callback", "%s: its upload to %s could not be aborted: %s", callback->id, callback->host_name,
		         outcome->problem);
		deliver_cancel(delivery);
		return;
	}
	callback->delivery = NULL;
	callback_ended(callback, outcome);
	if (callback->failed && delivery->address_at < delivery->addresses_count &&
	    multipart_give_up(&delivery->multipart)) {
		callback->delivery = delivery;
		delivery->is_given_up = true;
		take_step(delivery);
		return;
	}
	delivery_free(delivery); /* holds the outcome's text */
}

static void fail_delivery(struct delivery *delivery, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail_delivery(struct delivery *delivery, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(delivery->problem, sizeof(delivery->problem), format, args);
	va_end(args);
	end_delivery(delivery, &(struct outcome){ .refused = delivery->refused, .problem = delivery->problem });
}

static const char *allowed_by(const struct delivery *delivery)
{
	return delivery->callback->callbacks->config->callback_allow;
}

static bool may_connect(void *arg, const struct sockaddr *address)
{
	struct delivery *delivery = arg;

	return address_allowed(allowed_by(delivery), delivery->url.host, address);
}

static bool add_header(struct curl_slist **headers, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool add_header(struct curl_slist **headers, const char *format, ...)
{
	char line[DESTINATION_SECRET_MAX + 128];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return curl_list_add(headers, len > 0 && (size_t)len < sizeof(line) ? line : NULL);
}

/* Those of a file. */
static struct curl_slist *make_upload_headers(const struct upload *upload, const char *type, struct str sha256,
                                              struct error *err)
{
	const struct destination *destination = &upload->destination;
	struct curl_slist *headers = NULL;
	bool made = add_header(&headers, "Content-Type: %s", type);

	/* libcurl signs each header that is given, also one that is to be left out: S3 may ask for Expect. */
	if (destination->type == DESTINATION_S3)
		made = made && add_header(&headers, "x-amz-content-sha256: %.*s", STR_ARGS(sha256));
	else
		made = made && add_header(&headers, "Expect:");
	if (destination->type == DESTINATION_PUT && !destination->user[0] && destination->secret[0])
		made = made && add_header(&headers, "Authorization: Bearer %s", destination->secret);
	if (made)
		return headers;
	curl_slist_free_all(headers);
	error_set(err, ERROR_NOMEM, "out of memory");
	return NULL;
}

/* The attempt's headers; NULL with *err. */
static struct curl_slist *make_headers(const struct delivery *delivery, struct error *err)
{
	const struct callback *callback = delivery->callback;
	struct curl_slist *headers = NULL;
	struct buf signature = { 0 };
	int64_t now_us = clock_now_us();

	if (secret_sign(callback->callbacks->meta, str_from(callback->account), str_from(callback->id), now_us,
	                buf_str(&delivery->body), &signature, err) != 0) {
		buf_free(&signature);
		return NULL;
	}
	bool made = !signature.failed && add_header(&headers, "Content-Type: application/json") &&
	            add_header(&headers, "Expect:") && add_header(&headers, "webhook-id: %s", callback->id) &&
	            add_header(&headers, "webhook-timestamp: %lld", (long long)(now_us / CLOCK_US_PER_SECOND)) &&
	            add_header(&headers, "webhook-signature: %.*s", STR_ARGS(buf_str(&signature)));
	buf_free(&signature);
	if (made)
		return headers;
	curl_slist_free_all(headers);
	error_set(err, ERROR_NOMEM, "out of memory");
	return NULL;
}

static void try_address(struct delivery *delivery);

/* The upload's next step, which has all of the time again. */
static void take_step(struct delivery *delivery)
{
	delivery->deadline_us = clock_monotonic_us() + delivery->callback->callbacks->config->callback_timeout;
	try_address(delivery);
}

static int keep_parts(const struct delivery *delivery, struct error *err)
{
	struct buf parts = { 0 };

	multipart_keep(&delivery->multipart, &parts);
	int result = parts.failed ? error_set(err, ERROR_NOMEM, "out of memory") :
	                            save_parts(delivery->callback, buf_str(&parts), err);
	buf_free(&parts);
	return result;
}

static void step_ended(struct delivery *delivery, const struct transfer_result *result)
{
	struct error err, save_err;
	int answered = multipart_answered(&delivery->multipart, result, &err);

	if (keep_parts(delivery, &save_err) != 0) {
		fail_delivery(delivery, "%s", save_err.message);
	} else if (answered != 0) {
		struct outcome outcome = {
			.problem = err.message,
			.status = result->status,
			.retry_after_us = result->retry_after_s * CLOCK_US_PER_SECOND,
		};

		end_delivery(delivery, &outcome);
	} else if (delivery->is_given_up) {
		deliver_cancel(delivery);
	} else if (delivery->multipart.step == MULTIPART_COMPLETED) {
		end_delivery(delivery, &(struct outcome){ .delivered = true, .status = result->status });
	} else {
		take_step(delivery);
	}
}

static void describe_refusal(struct delivery *delivery, const struct transfer_result *result)
{
	struct buf reason = { 0 };

	multipart_add_reason(&reason, result->answer, MULTIPART_REASON_MAX);
	(void)snprintf(delivery->problem, sizeof(delivery->problem), "HTTP status %ld%.*s", result->status,
	               STR_ARGS(buf_str(&reason)));
	buf_free(&reason);
}

static void transfer_ended(void *arg, const struct transfer_result *result)
{
	struct delivery *delivery = arg;

	delivery->transfer = NULL;
	delivery->courier = NULL;
	delivery->refused = result->refused;
	bool has_time = clock_monotonic_us() < delivery->deadline_us;
	if (result->never_connected && has_time && ++delivery->address_at < delivery->addresses_count) {
		try_address(delivery);
	} else if (result->refused) {
		fail_delivery(delivery, "%s: the address is not allowed", delivery->url.host);
	} else if (result->problem[0]) {
		fail_delivery(delivery, "%s", result->problem);
	} else if (delivery->multipart.step != MULTIPART_NONE) {
		step_ended(delivery, result);
	} else if (result->status / 100 != 2 && !result->is_done) {
		struct outcome outcome = {
			.problem = delivery->problem,
			.status = result->status,
			.retry_after_us = result->retry_after_s * CLOCK_US_PER_SECOND,
		};

		describe_refusal(delivery, result);
		end_delivery(delivery, &outcome);
	} else {
		end_delivery(delivery, &(struct outcome){ .delivered = true, .status = result->status });
	}
}

/* Mail is sent without TLS only to this machine, and where the operator allows it. */
static bool may_be_plain(const struct delivery *delivery, const struct sockaddr *address)
{
	const char *special = address_special(address);

	return (special && strcmp(special, "loopback") == 0) ||
	       address_listed(delivery->callback->callbacks->config->destination_plain_smtp, delivery->url.host,
	                      address);
}

static void send_by_courier(struct delivery *delivery, struct transfer_request *request)
{
	struct callbacks *callbacks = delivery->callback->callbacks;
	struct error err;

	request->id = delivery->callback->id;
	request->attach_max = delivery->callback->is_test ? INT64_MAX : callbacks->config->destination_attachment_max;
	request->timeout_us = callbacks->config->callback_timeout; /* as long as nothing moves */
	request->may_be_plain = may_be_plain(delivery, (const struct sockaddr *)&request->address->storage);
	delivery->courier = courier_start(callbacks->couriers, request, &err);
	if (!delivery->courier)
		fail_delivery(delivery, "%s", err.message);
}

/* What an upload's request has, all of it or a step's. */
static struct curl_slist *fill_upload(struct delivery *delivery, struct transfer_request *request, struct error *err)
{
	struct curl_slist *headers = NULL;
	struct buf sha256 = { 0 };

	if (delivery->multipart.step == MULTIPART_NONE)
		return make_upload_headers(&delivery->upload, delivery->file_type, buf_str(&delivery->upload.sha256),
		                           err);
	if (multipart_fill(&delivery->multipart, request->url, request, &sha256, err) == 0)
		headers = make_upload_headers(&delivery->upload, delivery->file_type, buf_str(&sha256), err);
	buf_free(&sha256);
	return headers;
}

static void try_address(struct delivery *delivery)
{
	struct callbacks *callbacks = delivery->callback->callbacks;
	struct error err;
	struct transfer_request request = {
		.url = delivery->url.parsed,
		.address = &delivery->addresses[delivery->address_at],
		.body = buf_str(&delivery->body),
		.upload = upload_is_wanted(&delivery->upload) ? &delivery->upload : NULL,
		.ca_file = callbacks->config->callback_ca_file,
		.connect_timeout_us = callbacks->config->callback_connect_timeout,
		.timeout_us = delivery->deadline_us - clock_monotonic_us(),
		.guard = may_connect,
		.ended = transfer_ended,
		.arg = delivery,
	};

	if (upload_by_courier(&delivery->upload)) {
		send_by_courier(delivery, &request);
		return;
	}
	request.headers = request.upload ? fill_upload(delivery, &request, &err) : make_headers(delivery, &err);
	if (request.headers)
		delivery->transfer = transfer_start(callbacks->transfers, &request, &err);
	if (!delivery->transfer)
		fail_delivery(delivery, "%s", err.message);
}

static void refuse(struct delivery *delivery, const struct sockaddr *address)
{
	char text[ADDRESS_TEXT_LEN];

	address_format(text, address);
	delivery->refused = true;
	fail_delivery(delivery, "%.120s: its address %s is %s, and callback_allow does not list it", delivery->url.host,
	              text, address_special(address));
}

static void lookup_ended(void *arg, const struct address *addresses, size_t count, const char *problem)
{
	struct delivery *delivery = arg;

	delivery->lookup = NULL;
	evtimer_del(delivery->lookup_timer);
	for (size_t i = 0; i < count; i++)
		if (may_connect(delivery, (const struct sockaddr *)&addresses[i].storage))
			delivery->addresses[delivery->addresses_count++] = addresses[i];
	if (count == 0)
		fail_delivery(delivery, "%.120s: cannot be resolved: %s", delivery->url.host, problem);
	else if (delivery->addresses_count == 0)
		refuse(delivery, (const struct sockaddr *)&addresses[0].storage);
	else
		try_address(delivery);
}

static void lookup_timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct delivery *delivery = arg;

	(void)fd;
	(void)what;
	fail_delivery(delivery, "%.120s: could not be resolved in time", delivery->url.host);
}

static int set_s3_url(struct callback_url *url, struct str text, struct error *err)
{
	struct buf signed_url = { 0 };

	upload_write_s3_url(text, &signed_url);
	int result = buf_cstr(&signed_url) && curl_url_set(url->parsed, CURLUPART_URL, signed_url.data,
	                                                   CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK ?
	                     0 :
	                     error_set(err, ERROR_NOMEM, "out of memory");
	buf_free(&signed_url);
	return result;
}

static int take_upload(struct delivery *delivery, const struct callback_row *row, struct error *err)
{
	struct callbacks *callbacks = delivery->callback->callbacks;
	struct upload *upload = &delivery->upload;

	if (upload_take(upload, &row->upload, err) != 0)
		return -1;
	if (callbacks->ask_for_file && !delivery->callback->is_test) {
		buf_clear(&upload->sha256);
		if (callbacks->ask_for_file(callbacks->ask_for_file_arg, row->id, &upload->sha256, err) != 0)
			return -1;
	}
	if (upload_begin(upload, callbacks->destinations, callbacks->config->data_dir, delivery->callback->account,
	                 row->url, err) != 0)
		return -1;
	delivery->file_type = upload_file_type(row->url);
	if (upload->destination.type == DESTINATION_S3 && set_s3_url(&delivery->url, row->url, err) != 0)
		return -1;
	return multipart_begin(&delivery->multipart, upload, row->parts, callbacks->config->destination_part_size, err);
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct delivery *delivery = arg;
	struct callback_row row;

	if (callback_row_read(&row, key, value, err) != 0 || callback_row_url(&row, &delivery->url, err) != 0)
		return META_FAILED;
	if (row.upload.destination.len > 0 && take_upload(delivery, &row, err) != 0)
		return META_FAILED;
	buf_add_str(&delivery->body, row.body);
	if (buf_cstr(&delivery->body))
		return META_GO_ON;
	error_set(err, ERROR_NOMEM, "out of memory");
	return META_FAILED;
}

static int read_row(struct delivery *delivery, struct error *err)
{
	struct callback_key key;
	const struct callback *callback = delivery->callback;
	int found = meta_find(callback->callbacks->meta, META_DB_CALLBACKS, callback_key_of(callback->number, &key),
	                      take_row, delivery, err);

	if (found == 0)
		error_set(err, ERROR_CORRUPT, "its row is gone");
	return found > 0 ? 0 : -1;
}

static int begin(struct delivery *delivery, struct error *err)
{
	struct callbacks *callbacks = delivery->callback->callbacks;
	int64_t timeout_us = callbacks->config->callback_timeout;
	struct timeval timeout = clock_timeval(timeout_us);

	delivery->deadline_us = clock_monotonic_us() + timeout_us;
	delivery->lookup_timer = evtimer_new(callbacks->base, lookup_timed_out, delivery);
	if (!delivery->lookup_timer || evtimer_add(delivery->lookup_timer, &timeout) != 0)
		return error_set(err, ERROR_NOMEM, "out of memory");
	return read_row(delivery, err);
}

void deliver(struct callback *callback)
{
	struct error err;
	struct delivery *delivery = calloc(1, sizeof(*delivery));

	if (!delivery) {
		callback_ended(callback, &(struct outcome){ .problem = "out of memory" });
		return;
	}
	delivery->callback = callback;
	if (callback->delivery)
		deliver_cancel(callback->delivery);
	callback->delivery = delivery;
	if (begin(delivery, &err) != 0) {
		fail_delivery(delivery, "%s", err.message);
		return;
	}
	/* If it ends before this returns, the delivery may be gone. */
	struct lookup *lookup = resolver_lookup(callback->callbacks->resolver, delivery->url.host, delivery->url.port,
	                                        lookup_ended, delivery);
	if (lookup)
		delivery->lookup = lookup;
}
