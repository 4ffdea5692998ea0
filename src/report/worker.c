/* SPDX-License-Identifier: ISC */
/*
 * worker.c: see worker.h.
 *
 *	order --- on_data, on_arrived ---> maker --- a file here ---> pump ---> outlet ---> the holder
 *
 * The maker does not wait for the holder: what that has not taken yet is in the file. That loses its name as soon as it is open,
 * so that no record is left here, whatever ends this daemon.
 */
#include "report/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "report/order.h"
#include "report/table.h"
#include "store/cluster.h"

#define TELL_US CLOCK_US_PER_SECOND
#define PIECE_BYTES ((size_t)64 << 10) /* of the file, in a frame */
#define FILE_NAME "ordered"            /* between two lines of code */
#define ENDING "reports: none are made here now, as this front end ends, or another one holds the catalog"

struct order {
	LIST_ENTRY(order) link;
	struct report_worker *worker;
	struct http_request *request; /* until it is answered */
	struct http_outlet *outlet;   /* from then on */
	struct buf body;
	struct report_work *work; /* once the order is there */
	struct task slice;
	int fd;        /* of the file; or -1 */
	uint64_t sent; /* bytes of it */
	bool is_made;
};

struct report_worker {
	struct report_worker_options options;
	char *path; /* of a file, while it has a name */
	LIST_HEAD(, order) orders;
	uint64_t orders_count;
	bool has_ended;
	struct report_orders taken;
	struct event *tell;
	struct buf frame, piece;
};

static int nomem(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "an order of a report: out of memory");
}

static void order_free(struct order *order)
{
	struct report_worker *worker = order->worker;
	struct shrinking_file file = { .fd = order->fd };
	struct stat found;

	if (order->work)
		task_cancel(&order->slice);
	report_work_free(order->work); /* nobody else has the file open then */
	if (order->fd >= 0) {
		file.size = fstat(order->fd, &found) == 0 ? found.st_size : 0;
		shrinking_begin(worker->options.shrinking, &file);
	}
	buf_free(&order->body);
	LIST_REMOVE(order, link);
	worker->orders_count--;
	free(order);
}

/* --- what goes back --- */

/* False when out of memory. */
static bool send_frame(struct order *order, enum report_frame kind, struct str bytes)
{
	struct buf *frame = &order->worker->frame;

	buf_clear(frame);
	report_frame_add(frame, kind, bytes);
	if (!frame->failed)
		http_outlet_add(order->outlet, buf_str(frame));
	return !frame->failed;
}

/* With what was sent, or where that could not be, without. The order is gone after it. */
static void end(struct order *order, bool is_sent)
{
	if (is_sent)
		http_outlet_end(order->outlet);
	else
		http_outlet_fail(order->outlet);
	order_free(order);
}

/* The order is gone after it. */
static void fail(struct order *order, const struct error *err)
{
	log_warn("report", "%s: cannot be made here: %s", order->work->report.id, err->message);
	end(order, send_frame(order, REPORT_FRAME_FAILED, str_from(err->message)));
}

static bool send_made(struct order *order)
{
	struct buf row = { 0 };

	report_row_write(&row, &order->work->report);
	bool is_sent = !row.failed && send_frame(order, REPORT_FRAME_MADE, buf_str(&row));
	buf_free(&row);
	return is_sent;
}

/* Sends what there is of the file, as far as there is room. The order is gone when all is sent. */
static void pump(struct order *order)
{
	struct buf *piece = &order->worker->piece;
	struct error err;

	while (http_outlet_has_room(order->outlet)) {
		ssize_t got = pread(order->fd, piece->data, PIECE_BYTES, (off_t)order->sent);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			error_set_errno(&err, errno, "%s: read", order->worker->path);
			fail(order, &err);
			return;
		}
		if (got == 0 && order->is_made) {
			end(order, send_made(order));
			return;
		}
		if (got == 0)
			return;
		if (!send_frame(order, REPORT_FRAME_DATA, (struct str){ piece->data, (size_t)got })) {
			end(order, false);
			return;
		}
		order->sent += (uint64_t)got;
	}
}

static void on_room(void *arg)
{
	pump(arg);
}

/* The holder does not want it any more, or is gone. */
static void on_gone(void *arg)
{
	struct order *order = arg;

	log_info("report", "%s: nobody waits for it any more", order->work->report.id);
	order_free(order);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct report_worker *worker = arg;
	struct order *order, *next;
	struct buf text = { 0 };

	(void)fd;
	(void)what;
	for (order = LIST_FIRST(&worker->orders); order; order = next) {
		struct maker_progress progress;

		next = LIST_NEXT(order, link);
		if (!order->outlet || !report_work_progress(order->work, &progress))
			continue;
		buf_clear(&text);
		report_progress_write(&text, &progress);
		if (!text.failed && http_outlet_has_room(order->outlet))
			(void)send_frame(order, REPORT_FRAME_PROGRESS, buf_str(&text)); /* or in the next second */
		pump(order);
	}
	buf_free(&text);
}

/* --- making --- */

static void finish(struct order *order, enum report_state state)
{
	struct report *report = &order->work->report;
	struct maker_result result;

	maker_result(order->work->maker, &result);
	report_take_result(report, &result);
	report_set_state(report, state);
	report->has_file = true;
	report->ended_us = clock_now_us();
	order->is_made = true;
	log_info("report", "%s of account %s: made for another front end, %llu rows, %llu bytes", report->id,
	         report->account, (unsigned long long)report->rows, (unsigned long long)report->bytes);
	pump(order);
}

static void on_slice(void *arg, int64_t deadline_us)
{
	struct order *order = arg;
	struct error err = { .code = ERROR_NONE };
	enum maker_end made = maker_step(order->work->maker, deadline_us, &err);

	if (made == MAKER_MORE) {
		MAY_FAIL(task_start_in(&order->slice, order->worker->options.config->report_pause, &err) < 0);
		pump(order);
		return;
	}
	task_cancel(&order->slice);
	switch (made) {
	case MAKER_DONE:
		finish(order, REPORT_SUCCESS);
		break;
	case MAKER_TRUNCATED:
		finish(order, REPORT_TRUNCATED);
		break;
	case MAKER_FAILED:
		fail(order, &err);
		break;
	default:
		pump(order);
	}
}

static void on_ready(void *arg)
{
	struct order *order = arg;
	struct error err;

	/* it is the daemon's own: this cannot fail */
	MAY_FAIL(task_start_in(&order->slice, order->worker->options.config->report_pause, &err) < 0);
}

static int remove_name(const struct report_worker *worker, struct error *err)
{
	return unlink(worker->path) == 0 || errno == ENOENT ? 0 :
	                                                      error_set_errno(err, errno, "%s: unlink", worker->path);
}

static int make_maker(struct order *order, struct error *err)
{
	struct report_worker *worker = order->worker;
	struct report_work *work = order->work;
	struct error left;

	/* Never the file of another order, which may be cut while this one is made. */
	if (remove_name(worker, err) != 0)
		return -1;
	work->spec.passes = true;
	work->maker = maker_new(worker->options.store, &work->spec, worker->path, STR_LITERAL(""), err);
	if (!work->maker) {
		MAY_FAIL(remove_name(worker, &left) != 0); /* the next order tries again */
		return -1;
	}
	order->fd = open(worker->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (order->fd < 0)
		return error_set_errno(err, errno, "%s: open", worker->path);
	if (remove_name(worker, err) != 0)
		return -1;
	maker_on_ready(work->maker, on_ready, order);
	return 0;
}

static int read_order(struct order *order, struct error *err)
{
	struct report_worker *worker = order->worker;
	const struct report_worker_options *options = &worker->options;
	struct report_work *work = calloc(1, sizeof(*work));

	if (!work || order->body.failed) {
		free(work);
		return nomem(err);
	}
	order->work = work;
	if (report_order_read(work, options->config, options->key, &worker->taken, buf_str(&order->body), err) != 0 ||
	    report_work_plan(work, err) != 0)
		return -1;
	if (work->plan.product->own || work->report.state != REPORT_PROCESSING)
		return error_set(err, ERROR_INVALID, "report %s: only the holder makes it", work->report.id);
	return report_work_specify(work, err);
}

/* All of the order has come. */
static void on_arrived(void *arg)
{
	static const struct http_outlet_calls calls = { on_room, on_gone };
	struct order *order = arg;
	struct error err;

	if (read_order(order, &err) != 0 || make_maker(order, &err) != 0) {
		log_warn("report", "an order of another front end is refused: %s", err.message);
		http_reply_error(order->request, &err);
		order_free(order);
		return;
	}
	buf_free(&order->body);
	order->outlet =
		http_reply_outlet(order->request, 200, "application/octet-stream", HTTP_LENGTH_UNKNOWN, &calls, order);
	order->request = NULL;
	if (!order->outlet) {
		order_free(order);
		return;
	}
	task_init(&order->slice, order->worker->options.tasks, "", TASK_REPORTS, on_slice, order);
	on_ready(order);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct order *order = arg;
	struct error err;

	if (order->body.len + len <= REPORT_ORDER_MAX) {
		buf_add(&order->body, data, len);
		return;
	}
	error_set(&err, ERROR_LIMIT, "an order of more than %zu bytes", REPORT_ORDER_MAX);
	http_reply_error(order->request, &err);
	order_free(order);
}

static void on_abort(void *arg)
{
	order_free(arg);
}

void report_worker_take(struct report_worker *worker, struct http_request *request)
{
	static const struct http_stream stream = { on_data, on_arrived, on_abort, NULL };
	uint64_t most = (uint64_t)worker->options.config->reports_max;
	struct order *order = NULL;
	char why[CLUSTER_WHY_MAX];
	struct error err;

	if (worker->has_ended)
		error_set(&err, ERROR_UNAVAILABLE, ENDING);
	else if (store_cluster_is_missing(worker->options.store, why, sizeof(why)))
		error_set(&err, ERROR_UNAVAILABLE, "reports: %s", why);
	else if (disk_is_low(worker->options.disk))
		MAY_FAIL(disk_fail_low(worker->options.disk, &err) != 0);
	else if (worker->orders_count >= most)
		error_set(&err, ERROR_UNAVAILABLE, "reports: %llu are made here for others, at most %llu allowed",
		          (unsigned long long)worker->orders_count, (unsigned long long)most);
	else if (!(order = calloc(1, sizeof(*order))))
		MAY_FAIL(nomem(&err) != 0);
	if (!order) {
		http_reply_error(request, &err);
		return;
	}
	order->worker = worker;
	order->request = request;
	order->fd = -1;
	LIST_INSERT_HEAD(&worker->orders, order, link);
	worker->orders_count++;
	http_request_stream(request, &stream, order);
}

/* --- its life --- */

uint64_t report_worker_room(const struct report_worker *worker)
{
	const struct report_worker_options *options = &worker->options;
	char why[CLUSTER_WHY_MAX];

	return worker->has_ended || disk_is_low(options->disk) ||
	                       store_cluster_is_missing(options->store, why, sizeof(why)) ?
	               0 :
	               (uint64_t)options->config->reports_max;
}

static int set_up(struct report_worker *worker, struct error *err)
{
	struct timeval every = clock_timeval(TELL_US);
	struct buf dir = { 0 }, path = { 0 };

	buf_addf(&dir, "%s/reports", worker->options.config->data_dir);
	buf_addf(&path, "%s/reports/" FILE_NAME, worker->options.config->data_dir);
	worker->path = path.data;
	worker->tell = event_new(tasks_base(worker->options.tasks), -1, EV_PERSIST, on_tell, worker);
	bool is_set_up = buf_cstr(&dir) && buf_cstr(&path) && buf_reserve(&worker->piece, PIECE_BYTES) &&
	                 worker->tell && event_add(worker->tell, &every) == 0;
	int result = is_set_up ? directory_make(dir.data, err) : nomem(err);
	buf_free(&dir);
	return result;
}

struct report_worker *report_worker_new(const struct report_worker_options *options, struct error *err)
{
	struct report_worker *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		MAY_FAIL(nomem(err) != 0);
		return NULL;
	}
	worker->options = *options;
	LIST_INIT(&worker->orders);
	if (set_up(worker, err) == 0)
		return worker;
	report_worker_free(worker);
	return NULL;
}

void report_worker_end_all(struct report_worker *worker)
{
	struct order *order;
	struct error err;

	error_set(&err, ERROR_UNAVAILABLE, ENDING);
	while ((order = LIST_FIRST(&worker->orders))) {
		if (order->outlet)
			http_outlet_fail(order->outlet);
		else
			http_reply_error(order->request, &err);
		order_free(order);
	}
}

void report_worker_end(struct report_worker *worker)
{
	worker->has_ended = true;
	report_worker_end_all(worker);
}

void report_worker_free(struct report_worker *worker)
{
	if (!worker)
		return;
	report_worker_end_all(worker);
	if (worker->tell)
		event_free(worker->tell);
	report_orders_free(&worker->taken);
	buf_free(&worker->frame);
	buf_free(&worker->piece);
	free(worker->path);
	free(worker);
}
