/* SPDX-License-Identifier: ISC */
/*
 * courier_main.c: what a courier does: one file by SFTP, or one message by SMTP, with libcurl. See courier.h.
 *
 * SFTP: the file gets a hidden name first, which has the beginning of its SHA-256: what is there already of an attempt
 * that failed is continued. Then it gets its name, in place of what has it. SMTP: the file is attached, or a link to it
 * sent; all attempts have the same Message-ID.
 */
#include "callback/callback.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/curl_loop.h"
#include "callback/address.h"
#include "callback/courier_private.h"
#include "callback/upload.h"
#include "config.h"

#define SHA256_SHOWN 16 /* of the SHA-256, in the hidden name */
#define SAY_EVERY_S 1

struct work {
	struct courier_job job;
	CURL *easy;
	CURLU *url;
	struct curl_slist *connect_to, *quotes, *headers, *recipients;
	curl_mime *mime;
	int64_t size, sent;
	bool is_too_long; /* what is there already */
	curl_off_t moved;
	time_t said_s;
	char problem[CURL_ERROR_SIZE];
};

static bool add_line(struct curl_slist **list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool add_line(struct curl_slist **list, const char *format, ...)
{
	char *line = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&line, format, args);
	va_end(args);
	bool added = len >= 0 && curl_list_add(list, line);
	if (len >= 0)
		free(line);
	return added;
}

/* --- the job --- */

static size_t read_all(char *out, size_t most)
{
	size_t len = 0;
	ssize_t got;

	while (len < most && ((got = read(STDIN_FILENO, out + len, most - len)) > 0 || (got < 0 && errno == EINTR)))
		len += got > 0 ? (size_t)got : 0;
	return len;
}

static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	*at = nul ? nul + 1 : end;
	return nul ? text : NULL;
}

static bool read_job(struct courier_job *job, char *bytes)
{
	const char *at = bytes, *end = bytes + read_all(bytes, COURIER_JOB_MAX);

#define FIELD(name) job->name = next_text(&at, end);
#include "callback/courier_fields.def"
#undef FIELD
	return job->timeout_ms != NULL; /* the last one */
}

/* --- the file --- */

static size_t read_file(char *data, size_t size, size_t count, void *arg)
{
	struct work *work = arg;
	ssize_t got = pread(COURIER_FILE_FD, data, size * count, work->sent);

	if (got < 0)
		return CURL_READFUNC_ABORT;
	work->sent += got;
	return (size_t)got;
}

static int seek_file(void *arg, curl_off_t offset, int origin)
{
	struct work *work = arg;

	work->is_too_long = offset > work->size;
	if (origin != SEEK_SET || work->is_too_long)
		return CURL_SEEKFUNC_FAIL;
	work->sent = offset;
	return CURL_SEEKFUNC_OK;
}

static size_t drop(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

/* --- what both have --- */

static void say(const char *text, size_t len)
{
	if (write(STDOUT_FILENO, text, len) < 0)
		_exit(EXIT_FAILURE); /* nobody listens */
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	struct work *work = arg;
	time_t now_s = time(NULL);

	(void)down_all;
	(void)up_all;
	if (up + down != work->moved && now_s - work->said_s >= SAY_EVERY_S) {
		work->moved = up + down;
		work->said_s = now_s;
		say(".", 1);
	}
	return 0;
}

/* Only to the address that was found to be allowed. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct work *work = arg;
	char text[ADDRESS_TEXT_LEN];

	(void)purpose;
	address_format(text, &address->addr);
	return strcmp(text, work->job.address) == 0 ?
	               socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol) :
	               CURL_SOCKET_BAD;
}

static bool set_where(struct work *work)
{
	CURL *easy = work->easy;
	const struct courier_job *job = &work->job;
	long timeout_ms = strtol(job->timeout_ms, NULL, 10);

	work->url = curl_url();
	if (!work->url || curl_url_set(work->url, CURLUPART_URL, job->url, 0) != CURLUE_OK ||
	    !add_line(&work->connect_to, strchr(job->address, ':') ? "::[%s]:" : "::%s:", job->address))
		return false;
	curl_easy_setopt(easy, CURLOPT_CURLU, work->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "sftp,smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, work->connect_to);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, work);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	/* Of libcurl's, this is also the time to log in. */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, UPLOAD_SPEED_MIN);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, timeout_ms / 1000 + 1);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout_ms / 1000 + 1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	if (job->user[0])
		curl_easy_setopt(easy, CURLOPT_USERNAME, job->user);
	return true;
}

static void set_common(struct work *work)
{
	CURL *easy = work->easy;

	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, work->problem);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, work);
}

/* --- SFTP --- */

/* For libcurl's commands. */
static void add_quoted(struct buf *out, const char *path)
{
	buf_add_text(out, "\"");
	for (; *path; path++) {
		if (*path == '"' || *path == '\\')
			buf_add_text(out, "\\");
		buf_add(out, path, 1);
	}
	buf_add_text(out, "\"");
}

static bool get_path(struct work *work, struct buf *quoted)
{
	char *path = NULL;

	if (curl_url_get(work->url, CURLUPART_PATH, &path, CURLU_URLDECODE) != CURLUE_OK)
		return false;
	add_quoted(quoted, path);
	curl_free(path);
	return buf_cstr(quoted) != NULL;
}

/* The url's last part becomes the hidden name. */
static bool hide(struct work *work)
{
	const struct courier_job *job = &work->job;
	struct buf hidden = { 0 };
	char *path = NULL;

	if (curl_url_get(work->url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return false;
	buf_add(&hidden, path, (size_t)(strrchr(path, '/') - path) + 1);
	buf_addf(&hidden, ".%s.%.*s.part", job->file_name, SHA256_SHOWN, job->sha256);
	curl_free(path);
	bool is_hidden = buf_cstr(&hidden) && curl_url_set(work->url, CURLUPART_PATH, hidden.data, 0) == CURLUE_OK;
	buf_free(&hidden);
	return is_hidden;
}

/* SFTP as most servers have it renames to no name that is taken. */
static bool set_names(struct work *work)
{
	struct buf last = { 0 }, hidden = { 0 };
	bool is_set = get_path(work, &last) && hide(work) && get_path(work, &hidden) &&
	              add_line(&work->quotes, "*rm %s", last.data) &&
	              add_line(&work->quotes, "rename %s %s", hidden.data, last.data);

	buf_free(&last);
	buf_free(&hidden);
	curl_easy_setopt(work->easy, CURLOPT_CURLU, work->url);
	curl_easy_setopt(work->easy, CURLOPT_POSTQUOTE, work->quotes);
	return is_set;
}

/* libcurl reads a private key from a file only: this one is in memory, and only this process has it. */
static bool set_key(struct work *work)
{
	char path[64];
	size_t len = strlen(work->job.secret);
	int fd = memfd_create("key", MFD_CLOEXEC);

	if (fd < 0 || write(fd, work->job.secret, len) != (ssize_t)len || write(fd, "\n", 1) != 1)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	curl_easy_setopt(work->easy, CURLOPT_SSH_AUTH_TYPES, (long)CURLSSH_AUTH_PUBLICKEY);
	curl_easy_setopt(work->easy, CURLOPT_SSH_PRIVATE_KEYFILE, path);
	return true;
}

static bool set_sftp(struct work *work)
{
	CURL *easy = work->easy;

	curl_easy_setopt(easy, CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256, strchr(work->job.host_key, ':') + 1);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_file);
	curl_easy_setopt(easy, CURLOPT_READDATA, work);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_file);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, work);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)work->size);
	curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)-1); /* where what is there ends */
	if (work->job.is_key[0])
		return set_key(work) && set_names(work);
	curl_easy_setopt(easy, CURLOPT_SSH_AUTH_TYPES, (long)(CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD));
	curl_easy_setopt(easy, CURLOPT_PASSWORD, work->job.secret);
	return set_names(work);
}

/* --- SMTP --- */

static bool add_recipients(struct work *work)
{
	for (const char *at = work->job.to; *at;) {
		size_t len = strcspn(at, ",");

		if (!add_line(&work->recipients, "%.*s", (int)len, at))
			return false;
		at += len + (at[len] == ',');
	}
	return true;
}

static bool add_headers(struct work *work)
{
	const struct courier_job *job = &work->job;
	char date[64];
	struct tm tm;
	time_t now = time(NULL);

	return gmtime_r(&now, &tm) && strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm) > 0 &&
	       add_line(&work->headers, "Date: %s", date) && add_line(&work->headers, "From: <%s>", job->from) &&
	       add_line(&work->headers, "To: %s", job->to) &&
	       add_line(&work->headers, "Subject: Report %s", job->file_name) &&
	       add_line(&work->headers, "Message-ID: <%s%s>", job->id, strchr(job->from, '@')) &&
	       add_line(&work->headers, "Auto-Submitted: auto-generated");
}

static bool add_text(struct work *work)
{
	const struct courier_job *job = &work->job;

	curl_mimepart *part = curl_mime_addpart(work->mime);
	struct buf text = { 0 };

	if (job->is_attached[0])
		buf_addf(&text, "The report %s is attached.\r\n", job->file_name);
	else
		buf_addf(
			&text,
			"The report %s is ready. Its file can be fetched with the account's credentials from\r\n\r\n%s\r\n",
			job->file_name, job->link);
	buf_addf(&text, "\r\nIt has %s bytes. Its SHA-256 is\r\n%s\r\n", job->size, job->sha256);
	bool is_added = part && buf_cstr(&text) && curl_mime_data(part, text.data, text.len) == CURLE_OK &&
	                curl_mime_type(part, "text/plain; charset=us-ascii") == CURLE_OK;
	buf_free(&text);
	return is_added;
}

static bool attach_file(struct work *work)
{
	curl_mimepart *part = curl_mime_addpart(work->mime);

	return part && curl_mime_data_cb(part, work->size, read_file, seek_file, NULL, work) == CURLE_OK &&
	       curl_mime_filename(part, work->job.file_name) == CURLE_OK &&
	       curl_mime_type(part, upload_file_type(str_from(work->job.file_name))) == CURLE_OK &&
	       curl_mime_encoder(part, "base64") == CURLE_OK;
}

static bool set_smtp(struct work *work)
{
	const struct courier_job *job = &work->job;
	CURL *easy = work->easy;

	/* A path would be the name to greet with. */
	curl_url_set(work->url, CURLUPART_PATH, NULL, 0);
	curl_easy_setopt(easy, CURLOPT_CURLU, work->url);
	work->mime = curl_mime_init(easy);
	if (!work->mime || !add_recipients(work) || !add_headers(work) || !add_text(work) ||
	    (job->is_attached[0] && !attach_file(work)))
		return false;
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(job->may_be_plain[0] ? CURLUSESSL_TRY : CURLUSESSL_ALL));
	curl_loop_set_trust(easy, job->ca_file);
	if (job->secret[0])
		curl_easy_setopt(easy, CURLOPT_PASSWORD, job->secret);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, job->from);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, work->recipients);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, work->headers);
	curl_easy_setopt(easy, CURLOPT_MIMEPOST, work->mime);
	return true;
}

/* --- all of it --- */

static CURLcode perform(struct work *work)
{
	CURLcode code = curl_easy_perform(work->easy);

	if (code == CURLE_OK || !work->is_too_long)
		return code;
	/* Not ours, or not of this file. */
	work->is_too_long = false;
	work->sent = 0;
	work->problem[0] = '\0';
	curl_easy_setopt(work->easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)0);
	return curl_easy_perform(work->easy);
}

static void report(struct work *work, CURLcode code)
{
	char text[CURL_ERROR_SIZE + 64];
	curl_off_t connect_us = 0;

	curl_easy_getinfo(work->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	int len = snprintf(text, sizeof(text), "\n%d %d %s", (int)code, connect_us > 0,
	                   work->problem[0] ? work->problem : curl_easy_strerror(code));
	say(text, (size_t)len);
}

bool callback_courier_is_meant(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], COURIER_ARGUMENT) == 0;
}

/* Ends without freeing: the process is over. */
int callback_courier_main(void)
{
	static struct work work;
	static char bytes[COURIER_JOB_MAX];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (!read_job(&work.job, bytes) || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return EXIT_FAILURE;
	work.size = strtoll(work.job.size, NULL, 10);
	work.easy = curl_easy_init();
	if (!work.easy || !set_where(&work))
		return EXIT_FAILURE;
	set_common(&work);
	if (!(work.job.is_mail[0] ? set_smtp(&work) : set_sftp(&work)))
		return EXIT_FAILURE;
	report(&work, perform(&work));
	_exit(EXIT_SUCCESS);
}
