/* SPDX-License-Identifier: ISC */
/*
 * client.c: queries, their attempts, and looking at servers. See client.h; hosts.c reads the list of hosts.
 */
#include "clickhouse/client.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/id.h"
#include "base/log.h"
#include "clickhouse/hosts.h"
#include "clickhouse/rows_body.h"
#include "config.h"

#define LOOK_EVERY_US (2 * CLOCK_US_PER_SECOND)
#define PAUSE_US (CLOCK_US_PER_SECOND / 5) /* when all replicas of a shard have been asked in vain */
#define BUSY_US 10000                      /* after the first attempt that met another insert with a quorum */
#define INSERT_WITH_A_QUORUM 286           /* of the same table is under way: there is one at a time */
#define SERVER_BUFFER_BYTES (32 << 20)     /* of an answer, before the server writes it to disk */
#define QUERY_BYTES_MAX (4 << 20)
#define BOUNDARY "cdrd-numbers-0f3c9a"

struct clickhouse_query {
	LIST_ENTRY(clickhouse_query) link;
	struct clickhouse *clickhouse;
	struct clickhouse_request request;
	struct clickhouse_server *server; /* of the attempt */
	bool looks;                       /* at this server, and tries no other */
	struct buf sql, settings, form, answer;
	struct rows_body rows; /* of the attempt, of an insert */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct event *pause;
	int64_t deadline_us;
	unsigned attempts;
	unsigned left; /* servers that were left for the next one */
	unsigned busy; /* attempts that met another insert */
	bool too_long;
	char problem[CURL_ERROR_SIZE];
};

struct clickhouse {
	struct event_base *base;
	struct curl_loop *loop;
	struct event *look;
	struct clickhouse_servers servers;
	size_t current[CLICKHOUSE_HOSTS_MAX]; /* of each shard, the server that answered last */
	LIST_HEAD(, clickhouse_query) queries;
	struct clickhouse_options options; /* texts are its own */
	char *user_header, *key_header;
};

/* Errors of a server that others, or the same one later, may not have. */
static const struct passing_row {
	int code;
	const char *name;
} passing[] = {
	{ 32, "ATTEMPT_TO_READ_AFTER_EOF" },
	{ 33, "CANNOT_READ_ALL_DATA" },
	{ 40, "CHECKSUM_DOESNT_MATCH" }, /* a damaged part, which its replica has whole */
	{ 74, "CANNOT_READ_FROM_FILE_DESCRIPTOR" },
	{ 75, "CANNOT_WRITE_TO_FILE_DESCRIPTOR" },
	{ 76, "CANNOT_OPEN_FILE" },
	{ 107, "FILE_DOESNT_EXIST" },
	{ 159, "TIMEOUT_EXCEEDED" },
	{ 164, "READONLY" },
	{ 173, "CANNOT_ALLOCATE_MEMORY" },
	{ 198, "DNS_ERROR" },
	{ 202, "TOO_MANY_SIMULTANEOUS_QUERIES" },
	{ 209, "SOCKET_TIMEOUT" },
	{ 210, "NETWORK_ERROR" },
	{ 225, "NO_ZOOKEEPER" },
	{ 236, "ABORTED" },
	{ 241, "MEMORY_LIMIT_EXCEEDED" },
	{ 242, "TABLE_IS_READ_ONLY" },
	{ 243, "NOT_ENOUGH_SPACE" },
	{ 244, "UNEXPECTED_ZOOKEEPER_ERROR" },
	{ 246, "CORRUPTED_DATA" },
	{ 252, "TOO_MANY_PARTS" },
	{ 265, "RECEIVED_ERROR_TOO_MANY_REQUESTS" },
	{ 279, "ALL_CONNECTION_TRIES_FAILED" },
	{ 285, "TOO_FEW_LIVE_REPLICAS" },
	{ 286, "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE" },
	{ 289, "REPLICA_IS_NOT_IN_QUORUM" },
	{ 319, "UNKNOWN_STATUS_OF_INSERT" },
	{ 394, "QUERY_WAS_CANCELLED" },
	{ 425, "SYSTEM_ERROR" },
	{ 439, "CANNOT_SCHEDULE_TASK" }, /* no thread is free */
	{ 473, "DEADLOCK_AVOIDED" },
	{ 499, "S3_ERROR" },
	{ 696, "ASYNC_LOAD_CANCELED" },
	{ 733, "TABLE_IS_BEING_RESTARTED" },
	{ 745, "SERVER_OVERLOADED" },
	{ 999, "KEEPER_EXCEPTION" },
	{ 1000, "POCO_EXCEPTION" }, /* of its sockets and files */
	{ 1001, "STD_EXCEPTION" },  /* of memory that runs out, for instance */
};

static bool passes(int code)
{
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (passing[i].code == code)
			return true;
	return false;
}

/* --- a query's life --- */

static void end_attempt(struct clickhouse_query *query)
{
	if (!query->easy)
		return;
	curl_loop_remove(query->clickhouse->loop, query->easy);
	curl_easy_cleanup(query->easy);
	curl_slist_free_all(query->headers);
	curl_slist_free_all(query->connect_to);
	query->easy = NULL;
	query->headers = query->connect_to = NULL;
}

static void query_free(struct clickhouse_query *query)
{
	end_attempt(query);
	if (query->pause)
		event_free(query->pause);
	buf_free(&query->sql);
	buf_free(&query->settings);
	buf_free(&query->form);
	buf_free(&query->answer);
	LIST_REMOVE(query, link);
	free(query);
}

static void finish(struct clickhouse_query *query, const struct error *err)
{
	end_attempt(query);
	query->request.ended(query->request.arg, &query->answer, err);
	query_free(query);
}

bool clickhouse_was_repeated(const struct clickhouse_query *query)
{
	return query->attempts > 1;
}

/* --- an attempt --- */

static size_t take_answer(char *data, size_t size, size_t count, void *arg)
{
	struct clickhouse_query *query = arg;

	if (query->answer.len + size * count > query->clickhouse->options.answer_bytes_max) {
		query->too_long = true;
		return 0;
	}
	buf_add(&query->answer, data, size * count);
	return query->answer.failed ? 0 : size * count;
}

/* A server's list of numbers is a file of a form, as it takes tables from outside only so. */
static void write_form(struct buf *form, struct str numbers)
{
	buf_add_text(form,
	             "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"numbers\"; filename=\"numbers\"\r\n"
	             "Content-Type: application/octet-stream\r\n\r\n");
	buf_add_str(form, numbers);
	buf_add_text(form, "\r\n--" BOUNDARY "--\r\n");
}

static void add_escaped(struct buf *out, struct str text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_') {
			buf_add_char(out, (char)c);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, digits[c >> 4]);
		buf_add_char(out, digits[c & 15]);
	}
}

/* The statement is in the address where the body is something else. */
static void write_url(const struct clickhouse_query *query, struct buf *url)
{
	const struct clickhouse_request *request = &query->request;
	const struct clickhouse_server *server = query->server;

	buf_addf(url, "%s://%s/?wait_end_of_query=1&buffer_size=%d&max_query_size=%d",
	         server->is_tls ? "https" : "http", server->name, SERVER_BUFFER_BYTES, QUERY_BYTES_MAX);
	if (!request->any_database)
		buf_addf(url, "&database=%s", query->clickhouse->options.database);
	if (query->settings.len > 0)
		buf_addf(url, "&%.*s", STR_ARGS(buf_str(&query->settings)));
	if (request->set.p)
		buf_add_text(url, "&numbers_format=RowBinary&numbers_types=UInt64");
	if (request->set.p || request->body.p) {
		buf_add_text(url, "&query=");
		add_escaped(url, buf_str(&query->sql));
	}
}

/* Of an insert, whose statement is in the URL. */
static bool sends_rows(const struct clickhouse_query *query)
{
	return query->request.body.p && !query->request.set.p;
}

static size_t give_rows(char *out, size_t size, size_t count, void *arg)
{
	struct clickhouse_query *query = arg;

	return rows_body_read(&query->rows, out, size * count);
}

/* Where a connection that was kept has ended, they are sent again. */
static int begin_rows(void *arg, curl_off_t at, int origin)
{
	struct clickhouse_query *query = arg;

	if (at != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	rows_body_begin(&query->rows, query->request.body);
	return CURL_SEEKFUNC_OK;
}

static void set_body(struct clickhouse_query *query)
{
	CURL *easy = query->easy;
	struct str body = query->request.set.p ? buf_str(&query->form) : buf_str(&query->sql);

	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	if (sends_rows(query)) {
		rows_body_begin(&query->rows, query->request.body);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_rows);
		curl_easy_setopt(easy, CURLOPT_READDATA, query);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, begin_rows);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, query);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rows_body_size(query->request.body));
		return;
	}
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.len > 0 ? body.p : "");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
}

static bool add_header(struct clickhouse_query *query, const char *header)
{
	return !header || curl_list_add(&query->headers, header);
}

static bool add_headers(struct clickhouse_query *query)
{
	const struct clickhouse *clickhouse = query->clickhouse;

	return add_header(query, "Expect:") && add_header(query, sends_rows(query) ? "Content-Encoding: gzip" : NULL) &&
	       add_header(query, clickhouse->user_header) && add_header(query, clickhouse->key_header) &&
	       add_header(query, query->request.set.p ? "Content-Type: multipart/form-data; boundary=" BOUNDARY :
	                                                "Content-Type: application/octet-stream");
}

static long timeout_ms(const struct clickhouse_query *query, int64_t now_us)
{
	int64_t left_us = query->deadline_us - now_us, most_us = query->clickhouse->options.attempt_timeout_us;
	int64_t ms = (left_us < most_us ? left_us : most_us) / 1000;

	return ms < 1 ? 1 : (long)ms;
}

static int set_up(struct clickhouse_query *query, struct buf *url, int64_t now_us)
{
	CURL *easy = query->easy;

	query->connect_to = curl_slist_append(NULL, query->server->connect_to);
	if (!query->connect_to || !add_headers(query) || !buf_cstr(url))
		return -1;
	curl_easy_setopt(easy, CURLOPT_URL, url->data);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, query->connect_to);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "cdrd/" PACKAGE_VERSION);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(query->clickhouse->options.connect_timeout_us / 1000));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms(query, now_us));
	set_body(query);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, query->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, query);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, query->problem);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, query);
	curl_loop_set_trust(easy, query->clickhouse->options.ca_file);
	return curl_loop_add(query->clickhouse->loop, easy);
}

/* The one that answered last, or the next that is not known to be missing; if all are, the next. */
static struct clickhouse_server *choose(const struct clickhouse_query *query)
{
	struct clickhouse *clickhouse = query->clickhouse;
	const struct clickhouse_shard *shard = &clickhouse->servers.shards[query->request.shard];
	size_t from = clickhouse->current[query->request.shard] + query->left;

	assert(shard->count > 0);
	for (size_t i = 0; i < shard->count; i++) {
		struct clickhouse_server *server = &clickhouse->servers.list[shard->first + (from + i) % shard->count];

		if (!server->is_missing)
			return server;
	}
	return &clickhouse->servers.list[shard->first + from % shard->count];
}

static int attempt(struct clickhouse_query *query)
{
	struct buf url = { 0 };
	int result = -1;

	if (!query->looks)
		query->server = choose(query);
	query->attempts++;
	query->problem[0] = '\0';
	buf_clear(&query->answer);
	query->easy = curl_easy_init();
	if (query->easy) {
		write_url(query, &url);
		result = set_up(query, &url, clock_monotonic_us());
	}
	buf_free(&url);
	return result;
}

static void fail_memory(struct clickhouse_query *query)
{
	struct error err;

	error_set(&err, ERROR_NOMEM, "a query to ClickHouse: out of memory");
	finish(query, &err);
}

static void on_pause(evutil_socket_t fd, short what, void *arg)
{
	struct clickhouse_query *query = arg;

	(void)fd;
	(void)what;
	if (attempt(query) != 0)
		fail_memory(query);
}

/* --- its end --- */

static void note(struct clickhouse_server *server, const char *problem)
{
	if (server->is_missing != (problem != NULL))
		log_warn("cluster", "ClickHouse %s %s%s", server->name, problem ? "is missing: " : "answers again",
		         problem ? problem : "");
	server->is_missing = problem != NULL;
	str_cut(server->problem, sizeof(server->problem), problem ? problem : "");
}

/* The first line of what a server says of an error. */
static void take_message(const struct clickhouse_query *query, long status, char *out, size_t size)
{
	struct str text = buf_str(&query->answer);
	size_t len = 0;

	while (len < text.len && len < size - 32 && text.p[len] != '\n')
		len++;
	snprintf(out, size, "HTTP %ld: %.*s", status, (int)len, text.p);
}

static int code_of(const struct clickhouse_query *query)
{
	struct str text = buf_str(&query->answer);

	return text.len > 6 && memcmp(text.p, "Code: ", 6) == 0 ? atoi(text.p + 6) : 0;
}

/* Before the next server, or before the same one, where another front end's insert is under way: soon, as that takes
 * milliseconds; and not all at the same time; and later and later, as it may be one that waits for a replica that is missing. */
static int64_t pause_before_next(struct clickhouse_query *query, bool is_busy)
{
	size_t replicas = query->clickhouse->servers.shards[query->request.shard].count;
	uint8_t drawn;

	if (!is_busy)
		return ++query->left % replicas == 0 ? PAUSE_US : 0;
	id_random(&drawn, sizeof(drawn));
	int64_t pause_us = (int64_t)BUSY_US * ++query->busy;
	return (pause_us < PAUSE_US ? pause_us : PAUSE_US) * (128 + drawn) / 256;
}

static void try_again(struct clickhouse_query *query, bool is_busy, const char *problem)
{
	struct clickhouse *clickhouse = query->clickhouse;
	int64_t left_us = query->deadline_us - clock_monotonic_us();
	int64_t pause_us = pause_before_next(query, is_busy);
	struct timeval pause = clock_timeval(pause_us);
	struct error err;

	log_debug("cluster", "ClickHouse %s: %s", query->server->name, problem);
	if (!query->looks && left_us > pause_us && evtimer_add(query->pause, &pause) == 0)
		return;
	error_set(&err, ERROR_UNAVAILABLE, "ClickHouse, shard %zu of %zu: %u attempts, the last at %s: %s",
	          query->request.shard + 1, clickhouse->servers.shards_count, query->attempts, query->server->name,
	          problem);
	finish(query, &err);
}

static void on_answer(struct clickhouse_query *query, long status)
{
	struct clickhouse *clickhouse = query->clickhouse;
	struct clickhouse_server *server = query->server;
	char message[300];
	struct error err;

	if (status == 200) {
		if (!query->looks) {
			if (server->is_missing)
				note(server, NULL);
			clickhouse->current[server->shard] = (size_t)(server - clickhouse->servers.list) -
			                                     clickhouse->servers.shards[server->shard].first;
		}
		finish(query, NULL);
		return;
	}
	take_message(query, status, message, sizeof(message));
	if (passes(code_of(query)) || (status >= 500 && code_of(query) == 0)) {
		try_again(query, code_of(query) == INSERT_WITH_A_QUORUM, message);
		return;
	}
	error_set(&err, ERROR_IO, "ClickHouse %s: %s", server->name, message);
	finish(query, &err);
}

static void on_ended(void *arg, CURL *easy, CURLcode code)
{
	struct clickhouse_query *query = arg;
	char problem[CURL_ERROR_SIZE];
	long status = 0;
	struct error err;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	str_cut(problem, sizeof(problem), query->problem[0] ? query->problem : curl_easy_strerror(code));
	end_attempt(query);
	if (code == CURLE_OK) {
		on_answer(query, status);
	} else if (query->too_long) {
		error_set(&err, ERROR_LIMIT, "ClickHouse %s: the answer has more than the %zu bytes allowed",
		          query->server->name, query->clickhouse->options.answer_bytes_max);
		finish(query, &err);
	} else if (query->answer.failed) {
		fail_memory(query);
	} else {
		note(query->server, problem);
		try_again(query, false, problem);
	}
}

/* --- its beginning --- */

static struct clickhouse_query *query_new(struct clickhouse *clickhouse, const struct clickhouse_request *request,
                                          struct clickhouse_server *only)
{
	struct clickhouse_query *query = calloc(1, sizeof(*query));

	if (!query)
		return NULL;
	query->clickhouse = clickhouse;
	query->request = *request;
	query->server = only;
	query->looks = only != NULL;
	query->deadline_us = clock_monotonic_us() + request->patience_us;
	buf_add_str(&query->sql, request->sql);
	if (request->settings)
		buf_add_text(&query->settings, request->settings);
	query->request.settings = NULL;
	if (request->room)
		buf_move(&query->answer, request->room);
	if (request->set.p)
		write_form(&query->form, request->set);
	query->pause = evtimer_new(clickhouse->base, on_pause, query);
	LIST_INSERT_HEAD(&clickhouse->queries, query, link);
	if (query->pause && !query->sql.failed && !query->settings.failed && !query->form.failed && attempt(query) == 0)
		return query;
	query_free(query);
	return NULL;
}

struct clickhouse_query *clickhouse_start(struct clickhouse *clickhouse, const struct clickhouse_request *request,
                                          struct error *err)
{
	size_t first = clickhouse->servers.shards[request->shard].first;
	struct clickhouse_server *only =
		request->replica > 0 ? &clickhouse->servers.list[first + request->replica - 1] : NULL;
	struct clickhouse_query *query = query_new(clickhouse, request, only);

	if (!query)
		error_set(err, ERROR_NOMEM, "a query to ClickHouse: out of memory");
	return query;
}

void clickhouse_cancel(struct clickhouse_query *query)
{
	if (query)
		query_free(query);
}

/* --- looking at servers --- */

/* How many tables are replicated, and whether one of them cannot be written to. */
static void on_looked(void *arg, struct buf *answer, const struct error *err)
{
	struct clickhouse_server *server = arg;

	server->looks = false;
	if (err)
		note(server, err->message);
	else
		note(server, answer->len >= 2 && answer->data[0] != '0' ?
		                     "its tables are read-only: it does not reach ZooKeeper or Keeper" :
		                     NULL);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct clickhouse *clickhouse = arg;
	struct timeval every = clock_timeval(LOOK_EVERY_US);

	(void)fd;
	(void)what;
	for (size_t i = 0; i < clickhouse->servers.count; i++) {
		struct clickhouse_server *server = &clickhouse->servers.list[i];
		const struct clickhouse_request request = {
			.shard = server->shard,
			.sql = STR_LITERAL("SELECT countIf(is_readonly) FROM system.replicas"),
			.any_database = true,
			.patience_us = LOOK_EVERY_US,
			.ended = on_looked,
			.arg = server,
		};

		if (!server->looks && query_new(clickhouse, &request, server))
			server->looks = true;
	}
	evtimer_add(clickhouse->look, &every);
}

void clickhouse_state(const struct clickhouse *clickhouse, size_t quorum, struct clickhouse_state *state)
{
	const struct clickhouse_servers *servers = &clickhouse->servers;

	*state = (struct clickhouse_state){ .servers = servers->count };
	for (size_t at = 0; at < servers->shards_count; at++) {
		const struct clickhouse_shard *shard = &servers->shards[at];
		size_t there = 0;

		for (size_t i = shard->first; i < shard->first + shard->count; i++) {
			const struct clickhouse_server *server = &servers->list[i];

			there += !server->is_missing;
			if (server->is_missing && state->missing++ == 0)
				snprintf(state->first, sizeof(state->first), "%.64s (shard %zu): %.160s", server->name,
				         at + 1, server->problem);
		}
		state->has_shard_missing |= there < (quorum > 0 ? quorum : 1);
	}
}

size_t clickhouse_shards(const struct clickhouse *clickhouse)
{
	return clickhouse->servers.shards_count;
}

size_t clickhouse_replicas(const struct clickhouse *clickhouse, size_t shard)
{
	return clickhouse->servers.shards[shard].count;
}

/* --- its life --- */

static char *header_of(const char *name, const char *value)
{
	char *header = NULL;

	return asprintf(&header, "%s: %s", name, value) >= 0 ? header : NULL;
}

static int copy_options(struct clickhouse *clickhouse, const struct clickhouse_options *options)
{
	struct clickhouse_options *own = &clickhouse->options;
	bool has_user = options->user[0] != '\0';

	*own = *options;
	own->hosts = NULL;
	own->database = strdup(options->database);
	own->ca_file = strdup(options->ca_file);
	if (has_user) {
		clickhouse->user_header = header_of("X-ClickHouse-User", options->user);
		clickhouse->key_header = header_of("X-ClickHouse-Key", options->password);
	}
	own->user = own->password = NULL;
	return own->database && own->ca_file && (!has_user || (clickhouse->user_header && clickhouse->key_header)) ? 0 :
	                                                                                                             -1;
}

struct clickhouse *clickhouse_new(struct event_base *base, const struct clickhouse_options *options, struct error *err)
{
	struct clickhouse *clickhouse = calloc(1, sizeof(*clickhouse));
	struct timeval now = { 0, 0 };

	if (!clickhouse) {
		error_set(err, ERROR_NOMEM, "ClickHouse: out of memory");
		return NULL;
	}
	LIST_INIT(&clickhouse->queries);
	clickhouse->base = base;
	clickhouse->look = evtimer_new(base, on_look, clickhouse);
	if (copy_options(clickhouse, options) != 0 || !clickhouse->look) {
		error_set(err, ERROR_NOMEM, "ClickHouse: out of memory");
		goto fail;
	}
	if (clickhouse_servers_read(&clickhouse->servers, options->hosts, err) != 0 ||
	    clickhouse_servers_resolve(&clickhouse->servers, err) != 0)
		goto fail;
	clickhouse->loop = curl_loop_new(base, on_ended, err);
	if (!clickhouse->loop)
		goto fail;
	evtimer_add(clickhouse->look, &now);
	return clickhouse;
fail:
	clickhouse_free(clickhouse);
	return NULL;
}

void clickhouse_free(struct clickhouse *clickhouse)
{
	if (!clickhouse)
		return;
	while (!LIST_EMPTY(&clickhouse->queries))
		query_free(LIST_FIRST(&clickhouse->queries));
	curl_loop_free(clickhouse->loop);
	if (clickhouse->look)
		event_free(clickhouse->look);
	free((char *)(uintptr_t)clickhouse->options.database);
	free((char *)(uintptr_t)clickhouse->options.ca_file);
	free(clickhouse->user_header);
	free(clickhouse->key_header);
	free(clickhouse);
}
