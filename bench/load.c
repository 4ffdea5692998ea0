/* SPDX-License-Identifier: ISC */
/*
 * load.c: the load client's two jobs, and what they measured as `name value` lines.
 *
 *	load post PORT USER:SECRET CONNECTIONS BATCH ndjson|msgpack FILE   every record of FILE once, BATCH a request
 *	                                                                   (0: all in one body)
 *	load get PORT USER:SECRET CONNECTIONS SECONDS FILE                 the targets of FILE, one a line, in turn
 *
 * Ends with status 1 if an answer was not 200 or not all records were accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

struct latencies {
	int64_t *list;
	size_t count, room;
};

struct job {
	const char *data; /* of FILE */
	size_t data_len;
	char authorization[512];

	/* post */
	const char *content_type;
	bool msgpack;
	size_t batch;
	size_t at; /* in data, of the next record */
	uint64_t records;
	uint64_t accepted;

	/* get */
	int64_t deadline_us;

	uint64_t failed;
	char first_failure[256];
	uint64_t bytes;
	struct latencies latencies;
};

static void note_latency(struct latencies *latencies, int64_t latency_us)
{
	if (latencies->count == latencies->room) {
		latencies->room = latencies->room ? latencies->room * 2 : 4096;
		latencies->list = realloc(latencies->list, latencies->room * sizeof(*latencies->list));
		if (!latencies->list)
			abort();
	}
	latencies->list[latencies->count++] = latency_us;
}

static void note_answer(struct job *job, const struct client_answer *answer)
{
	note_latency(&job->latencies, answer->latency_us);
	job->bytes += answer->body_len;
	if (answer->status != 200 && job->failed++ == 0)
		snprintf(job->first_failure, sizeof(job->first_failure), "%d %.200s", answer->status,
		         answer->beginning);
}

/* --- post --- */

static size_t msgpack_string_len(const unsigned char *p, size_t *header)
{
	*header = *p == 0xd9 ? 2 : *p == 0xda ? 3 : 1;
	return *p == 0xd9 ? p[1] : *p == 0xda ? (size_t)(p[1] << 8 | p[2]) : *p & 31u;
}

/* The end of the record at `at`. Of msgpack only what cdrgen writes: a map 16 of strings. */
static size_t record_end(const struct job *job, size_t at)
{
	const unsigned char *data = (const unsigned char *)job->data;
	size_t strings;

	if (!job->msgpack) {
		const char *end = memchr(job->data + at, '\n', job->data_len - at);

		return end ? (size_t)(end - job->data) + 1 : job->data_len;
	}
	strings = 2 * (size_t)(data[at + 1] << 8 | data[at + 2]);
	at += 3;
	for (size_t header; strings > 0; strings--) {
		size_t len = msgpack_string_len(data + at, &header);

		at += header + len;
	}
	return at;
}

static bool next_post(void *arg, struct client_request *request)
{
	struct job *job = arg;
	size_t start = job->at;

	if (start >= job->data_len)
		return false;
	for (size_t n = 0; job->at < job->data_len && (job->batch == 0 || n < job->batch); n++) {
		job->at = record_end(job, job->at);
		job->records++;
	}
	request->body = job->data + start;
	request->body_len = job->at - start;
	request->head_len = (size_t)snprintf(request->head, sizeof(request->head),
	                                     "POST /v1/cdrs HTTP/1.1\r\nHost: bench\r\n%sContent-Type: %s\r\n"
	                                     "Content-Length: %zu\r\n\r\n",
	                                     job->authorization, job->content_type, request->body_len);
	return true;
}

static void post_answered(void *arg, const struct client_answer *answer)
{
	struct job *job = arg;
	const char *accepted = strstr(answer->beginning, "\"accepted\":");

	note_answer(job, answer);
	if (accepted)
		job->accepted += strtoull(accepted + strlen("\"accepted\":"), NULL, 10);
}

/* --- get --- */

static bool next_get(void *arg, struct client_request *request)
{
	struct job *job = arg;
	const char *line = job->data + job->at;
	const char *end = memchr(line, '\n', job->data_len - job->at);

	if (client_now_us() >= job->deadline_us || !end)
		return false;
	job->at = (size_t)(end - job->data) + 1;
	if (job->at >= job->data_len)
		job->at = 0;
	request->body_len = 0;
	request->head_len =
		(size_t)snprintf(request->head, sizeof(request->head), "GET %.*s HTTP/1.1\r\nHost: bench\r\n%s\r\n",
	                         (int)(end - line), line, job->authorization);
	return true;
}

static void get_answered(void *arg, const struct client_answer *answer)
{
	note_answer(arg, answer);
}

/* --- both --- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double percentile_ms(const struct latencies *latencies, double part)
{
	size_t index = (size_t)(part * (double)latencies->count);

	if (latencies->count == 0)
		return 0;
	return (double)latencies->list[index < latencies->count ? index : latencies->count - 1] / 1000;
}

static void print(const struct job *job, int64_t took_us)
{
	double seconds = (double)took_us / 1e6;
	const struct latencies *latencies = &job->latencies;

	qsort(latencies->list, latencies->count, sizeof(*latencies->list), compare);
	printf("requests %zu\nseconds %.3f\nrequests_per_s %.1f\n", latencies->count, seconds,
	       (double)latencies->count / seconds);
	printf("p50_ms %.3f\np99_ms %.3f\nanswer_bytes %" PRIu64 "\n", percentile_ms(latencies, 0.5),
	       percentile_ms(latencies, 0.99), job->bytes);
	if (job->records > 0)
		printf("records %" PRIu64 "\nrecords_per_s %.0f\n", job->records, (double)job->accepted / seconds);
}

static int map_file(struct job *job, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size == 0) {
		fprintf(stderr, "load: %s: cannot be read or is empty\n", path);
		return -1;
	}
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED) {
		fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
		return -1;
	}
	job->data = data;
	job->data_len = (size_t)status.st_size;
	return 0;
}

static void set_authorization(struct job *job, const char *credentials)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(credentials);
	char *out = job->authorization + sprintf(job->authorization, "Authorization: Basic ");

	for (size_t i = 0; i < len && i < 300; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)credentials[i] << 16;

		bits |= i + 1 < len ? (uint32_t)(unsigned char)credentials[i + 1] << 8 : 0;
		bits |= i + 2 < len ? (uint32_t)(unsigned char)credentials[i + 2] : 0;
		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = i + 1 < len ? alphabet[bits >> 6 & 63] : '=';
		*out++ = i + 2 < len ? alphabet[bits & 63] : '=';
	}
	memcpy(out, "\r\n", 3);
}

static int run(struct job *job, int port, int connections, const struct client_work *work)
{
	int64_t begun_us = client_now_us();

	if (client_run(port, connections, work) < 0)
		return EXIT_FAILURE;
	print(job, client_now_us() - begun_us);
	if (job->failed > 0 || job->accepted != job->records) {
		fprintf(stderr,
		        "load: %" PRIu64 " answers were not 200 (%s), %" PRIu64 " of %" PRIu64 " records accepted\n",
		        job->failed, job->first_failure, job->accepted, job->records);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct job job;
	struct client_work work = { .arg = &job };

	if (argc == 8 && strcmp(argv[1], "post") == 0) {
		job.msgpack = strcmp(argv[6], "msgpack") == 0;
		job.content_type = job.msgpack ? "application/msgpack" : "application/x-ndjson";
		job.batch = strtoul(argv[5], NULL, 10);
		work.next = next_post;
		work.answered = post_answered;
	} else if (argc == 7 && strcmp(argv[1], "get") == 0) {
		job.deadline_us = client_now_us() + strtoll(argv[5], NULL, 10) * 1000000;
		work.next = next_get;
		work.answered = get_answered;
	} else {
		fprintf(stderr, "Usage: load post PORT USER:SECRET CONNECTIONS BATCH ndjson|msgpack FILE\n"
		                "       load get PORT USER:SECRET CONNECTIONS SECONDS FILE\n");
		return 2;
	}
	set_authorization(&job, argv[3]);
	if (map_file(&job, argv[argc - 1]) < 0)
		return EXIT_FAILURE;
	return run(&job, atoi(argv[2]), atoi(argv[4]), &work);
}
