/* SPDX-License-Identifier: ISC */
/*
 * curl_loop.c: see curl_loop.h.
 *
 * libcurl says which sockets to watch (watch_socket) and when to call it in any case (set_timer); each is an event of
 * the loop, and each event calls curl_multi_socket_action.
 */
#include "base/curl_loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct curl_loop {
	struct event_base *base;
	CURLM *multi;
	CURLM *spare; /* in whose place it is put when that has run out of memory; NULL until there is memory for it */
	bool broken;  /* memory has run out in it, and there was no spare */
	long keep;    /* connections */
	struct event *timer;
	curl_loop_fn ended;
	struct buf transfers; /* CURL *, in the order they were added */
};

/* Tells of the transfers that libcurl has finished. */
static void take_finished(struct curl_loop *loop)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(loop->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result; /* the message dies with the transfer */
		void *arg = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &arg);
		loop->ended(arg, easy, code);
	}
}

/* Called by libcurl, which wants to be called in so many milliseconds, -1 for never; but not from here, not even for
 * 0. Where there is no memory for that, it is called in the next turn, as it would not ask again. */
static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_loop *loop = arg;
	struct timeval delay = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	(void)multi;
	if (timeout_ms < 0)
		event_del(loop->timer);
	else if (event_add(loop->timer, &delay) != 0)
		event_active(loop->timer, EV_TIMEOUT, 0);
	return 0;
}

static CURLM *multi_new(struct curl_loop *loop);

static CURL **transfers_of(const struct curl_loop *loop)
{
	return (CURL **)(void *)loop->transfers.data;
}

static size_t transfers_count(const struct curl_loop *loop)
{
	return loop->transfers.len / sizeof(CURL *);
}

/* Ends those that are there now; what is added meanwhile comes after them. */
static void end_all(struct curl_loop *loop, CURLcode code)
{
	for (size_t left = transfers_count(loop); left > 0 && transfers_count(loop) > 0; left--) {
		CURL *easy = transfers_of(loop)[0];
		void *arg = NULL;

		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &arg);
		loop->ended(arg, easy, code);
	}
}

/*
 * libcurl 7.88 that ran out of memory does not say for which transfer, never asks to be called for that one again, and
 * divides by zero in what is left of it when a later one gets a socket of the same number. So all transfers end, and
 * the next ones have a new CURLM.
 */
static void begin_anew(struct curl_loop *loop)
{
	CURLM *old = loop->multi;

	if (!loop->spare)
		loop->spare = multi_new(loop);
	loop->broken = !loop->spare;
	if (loop->broken)
		return;
	for (size_t i = 0; i < transfers_count(loop); i++)
		curl_multi_remove_handle(old, transfers_of(loop)[i]);
	curl_multi_cleanup(old);
	loop->multi = loop->spare;
	loop->spare = NULL;
}

/* Lets libcurl go on with a socket, or with what is due. */
static void go_on(struct curl_loop *loop, curl_socket_t fd, int bits)
{
	int running;
	CURLMcode code = curl_multi_socket_action(loop->multi, fd, bits, &running);

	take_finished(loop);
	if (code == CURLM_OK)
		return;
	begin_anew(loop);
	end_all(loop, code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_RECV_ERROR);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	go_on(arg, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* Called by libcurl: `what` is what it waits for on the socket from now on. The socket's event is its private
 * pointer. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct curl_loop *loop = arg;
	struct event *event = socket_arg;

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		short bits = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
		event = event_new(loop->base, fd, (short)(bits | EV_PERSIST), on_socket, loop);
		/* Without an event the transfer will time out. */
		if (event)
			event_add(event, NULL);
	}
	curl_multi_assign(loop->multi, fd, event);
	return 0;
}

static CURLM *multi_new(struct curl_loop *loop)
{
	CURLM *multi = curl_multi_init();

	if (!multi)
		return NULL;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop);
	if (loop->keep > 0)
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, loop->keep);
	return multi;
}

int curl_loop_add(struct curl_loop *loop, CURL *easy)
{
	if (loop->broken)
		begin_anew(loop);
	if (!loop->spare)
		loop->spare = multi_new(loop);
	if (loop->broken || !buf_reserve(&loop->transfers, sizeof(CURL *))) {
		loop->transfers.failed = false;
		return -1;
	}
	if (curl_multi_add_handle(loop->multi, easy) != CURLM_OK)
		return -1;
	buf_add(&loop->transfers, &easy, sizeof(CURL *));
	return 0;
}

void curl_loop_remove(struct curl_loop *loop, CURL *easy)
{
	CURL **transfers = transfers_of(loop);

	for (size_t i = 0; i < transfers_count(loop); i++)
		if (transfers[i] == easy) {
			memmove(&transfers[i], &transfers[i + 1], (transfers_count(loop) - i - 1) * sizeof(CURL *));
			loop->transfers.len -= sizeof(CURL *);
			break;
		}
	curl_multi_remove_handle(loop->multi, easy);
}

void curl_loop_keep(struct curl_loop *loop, long connections)
{
	loop->keep = connections;
	curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, connections);
	curl_multi_cleanup(loop->spare);
	loop->spare = NULL;
}

/*
 * Certificates are checked against the directory of hashed names, where only those asked for are read: parsing the
 * system's whole bundle would hold up the loop. The file is read in addition.
 */
void curl_loop_set_trust(CURL *easy, const char *ca_file)
{
	const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* libcurl 7.88 frees a session twice where memory runs out while it keeps it; connections are kept anyway. */
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (version->capath)
		curl_easy_setopt(easy, CURLOPT_CAPATH, version->capath);
	if (ca_file[0])
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	else if (version->capath)
		curl_easy_setopt(easy, CURLOPT_CAINFO, (char *)NULL);
}

struct curl_loop *curl_loop_new(struct event_base *base, curl_loop_fn ended, struct error *err)
{
	struct curl_loop *loop = calloc(1, sizeof(*loop));

	if (!loop || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(loop);
		error_set(err, ERROR_NOMEM, "libcurl could not be started");
		return NULL;
	}
	loop->base = base;
	loop->ended = ended;
	loop->multi = multi_new(loop);
	loop->timer = evtimer_new(base, on_timer, loop);
	if (!loop->multi || !loop->timer) {
		curl_loop_free(loop);
		error_set(err, ERROR_NOMEM, "libcurl could not be started: out of memory");
		return NULL;
	}
	return loop;
}

bool curl_list_add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;

	if (longer)
		*list = longer;
	return longer != NULL;
}

void curl_loop_free(struct curl_loop *loop)
{
	if (!loop)
		return;
	curl_multi_cleanup(loop->multi);
	curl_multi_cleanup(loop->spare);
	if (loop->timer)
		event_free(loop->timer);
	buf_free(&loop->transfers);
	curl_global_cleanup();
	free(loop);
}
