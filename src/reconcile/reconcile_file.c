/* SPDX-License-Identifier: ISC */
/*
 * reconcile_file.c: the directory of a reconciliation. See reconcile_private.h.
 *
 * The file `job` is a JSON object of texts, with two lists: the parameters, names and values in turn, and of each file
 * its id, SHA-256, rows and bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "reconcile/reconcile_private.h"

#define FILE_MAX ((size_t)16 << 20)

void reconcile_path(const struct reconciles *reconciles, const char *id, const char *name, struct buf *out)
{
	buf_addf(out, "%s/%s%s%s", reconciles->dir, id, name ? "/" : "", name ? name : "");
}

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
}

/* --- files, whole --- */

static int write_text(int fd, const char *path, struct str text, struct error *err)
{
	while (text.len > 0) {
		ssize_t done = write(fd, text.p, text.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_set_errno(err, errno, "%s: write", path);
		text.p += done;
		text.len -= (size_t)done;
	}
	return fsync(fd) == 0 ? 0 : error_set_errno(err, errno, "%s: sync", path);
}

static int replace(const char *fresh, const char *path, struct str text, struct error *err)
{
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int result;

	if (fd < 0)
		return error_set_errno(err, errno, "%s: open", fresh);
	result = write_text(fd, fresh, text, err);
	close(fd);
	if (result == 0 && rename(fresh, path) != 0)
		result = error_set_errno(err, errno, "%s: rename", fresh);
	if (result != 0)
		(void)unlink(fresh);
	return result;
}

int reconcile_write_file(const struct reconciles *reconciles, const char *id, const char *name, struct str text,
                         struct error *err)
{
	struct buf dir = { 0 }, path = { 0 }, fresh = { 0 };
	int result;

	reconcile_path(reconciles, id, NULL, &dir);
	reconcile_path(reconciles, id, name, &path);
	reconcile_path(reconciles, id, name, &fresh);
	buf_add_text(&fresh, ".new");
	if (!buf_cstr(&dir) || !buf_cstr(&path) || !buf_cstr(&fresh))
		result = no_memory(err);
	else
		result = replace(fresh.data, path.data, text, err);
	if (result == 0)
		result = directory_sync(dir.data, err);
	buf_free(&dir);
	buf_free(&path);
	buf_free(&fresh);
	return result;
}

static int read_all(int fd, const char *path, struct buf *text, struct error *err)
{
	for (;;) {
		if (!buf_reserve(text, 4096))
			return no_memory(err);
		ssize_t got = read(fd, text->data + text->len, text->cap - text->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, errno, "%s: read", path);
		if (got == 0)
			return 0;
		text->len += (size_t)got;
	}
}

int reconcile_read_file(const struct reconciles *reconciles, const char *id, const char *name, struct buf *text,
                        struct error *err)
{
	struct buf path = { 0 };
	int result, fd = -1;

	text->max_bytes = FILE_MAX;
	reconcile_path(reconciles, id, name, &path);
	if (!buf_cstr(&path))
		result = no_memory(err);
	else if ((fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		result = error_set_errno(err, errno, "%s: open", path.data);
	else
		result = read_all(fd, path.data, text, err);
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return result;
}

/* --- `job` --- */

static void add_number(struct json *json, const char *key, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)number);
	json_member_text(json, key, text);
}

static void add_key(struct json *json, const char *name, const struct account_key *key)
{
	struct buf text = { 0 };

	id_base64url_encode(&text, key->bytes, sizeof(key->bytes));
	json_member_str(json, name, buf_str(&text));
	json->out->failed |= text.failed;
	buf_free(&text);
}

static void write_job(const struct reconciliation *shown, struct json *json)
{
	json_object_begin(json);
	json_member_text(json, "creator", shown->creator);
	add_key(json, "creator_key", &shown->creator_key);
	add_key(json, "account_key", &shown->account_key);
	/* what has not ended begins again */
	json_member_text(json, "state",
	                 report_state_name(report_state_ended(shown->state) ? shown->state : REPORT_PENDING));
	add_number(json, "received_us", shown->received_us);
	add_number(json, "started_us", report_state_ended(shown->state) ? shown->started_us : 0);
	add_number(json, "ended_us", shown->ended_us);
	add_number(json, "upload_bytes", (int64_t)shown->upload_bytes);
	json_member_text(json, "reason", shown->reason);
	json_key(json, "params");
	json_array_begin(json);
	for (size_t i = 0; i < shown->params.count; i++) {
		json_str(json, shown->params.list[i].name);
		json_str(json, shown->params.list[i].value);
	}
	json_array_end(json);
	json_key(json, "files");
	json_array_begin(json);
	for (size_t i = 0; i < RECONCILER_CLASSES && shown->state == REPORT_SUCCESS; i++) {
		json_text(json, shown->files[i].id);
		json_text(json, shown->files[i].made.sha256);
		json_uint(json, shown->files[i].made.rows);
		json_uint(json, shown->files[i].made.bytes);
	}
	json_array_end(json);
	json_object_end(json);
}

int reconcile_save_in(const struct reconcile_job *job, const char *dir, struct error *err)
{
	struct buf text = { 0 };
	struct json json = json_to(&text);
	int result;

	write_job(&job->shown, &json);
	result = text.failed ? no_memory(err) : reconcile_write_file(job->reconciles, dir, "job", buf_str(&text), err);
	buf_free(&text);
	return result;
}

int reconcile_save(const struct reconcile_job *job, struct error *err)
{
	return reconcile_save_in(job, job->shown.id, err);
}

int reconcile_rename_dir(const struct reconciles *reconciles, const char *from, const char *to, struct error *err)
{
	struct buf old = { 0 }, fresh = { 0 };
	int result;

	reconcile_path(reconciles, from, NULL, &old);
	reconcile_path(reconciles, to, NULL, &fresh);
	if (!buf_cstr(&old) || !buf_cstr(&fresh))
		result = no_memory(err);
	else if (rename(old.data, fresh.data) != 0)
		result = error_set_errno(err, errno, "%s: rename", old.data);
	else
		result = directory_sync(reconciles->dir, err);
	buf_free(&old);
	buf_free(&fresh);
	return result;
}

/* --- read back --- */

struct loading {
	struct json_reader reader;
	struct reconciliation *shown;
	struct error *err;
};

static int damaged(const struct loading *loading)
{
	if (loading->err->code == ERROR_NOMEM)
		return -1;
	return error_set(loading->err, ERROR_CORRUPT, "its file `job` is damaged");
}

static bool copy_text(char *out, size_t size, struct str text)
{
	if (text.len >= size || memchr(text.p, '\0', text.len))
		return false;
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	return true;
}

static bool read_key(struct account_key *key, struct str text, struct error *err)
{
	struct buf bytes = { 0 };
	bool right = id_base64url_decode(&bytes, text) && bytes.len == sizeof(key->bytes);

	if (right)
		memcpy(key->bytes, bytes.data, sizeof(key->bytes));
	else if (bytes.failed)
		error_set(err, ERROR_NOMEM, "out of memory");
	buf_free(&bytes);
	return right;
}

static bool read_number(int64_t *out, struct str text)
{
	char digits[24], *end;

	if (text.len == 0 || !copy_text(digits, sizeof(digits), text))
		return false;
	errno = 0;
	*out = strtoll(digits, &end, 10);
	return errno == 0 && *end == '\0' && *out >= 0;
}

static bool read_member(struct reconciliation *shown, const char *name, struct str value, struct error *err)
{
	int64_t bytes;

	if (strcmp(name, "creator") == 0)
		return copy_text(shown->creator, sizeof(shown->creator), value);
	if (strcmp(name, "creator_key") == 0)
		return read_key(&shown->creator_key, value, err);
	if (strcmp(name, "account_key") == 0)
		return read_key(&shown->account_key, value, err);
	if (strcmp(name, "state") == 0)
		return report_state_parse(value, &shown->state);
	if (strcmp(name, "received_us") == 0)
		return read_number(&shown->received_us, value);
	if (strcmp(name, "started_us") == 0)
		return read_number(&shown->started_us, value);
	if (strcmp(name, "ended_us") == 0)
		return read_number(&shown->ended_us, value);
	if (strcmp(name, "reason") == 0)
		return copy_text(shown->reason, sizeof(shown->reason), value);
	if (strcmp(name, "upload_bytes") != 0 || !read_number(&bytes, value))
		return false;
	shown->upload_bytes = (uint64_t)bytes;
	return true;
}

static int read_params(struct loading *loading)
{
	struct buf name = { 0 };
	enum json_event event;
	int result = 0;

	while (result == 0 && (event = json_reader_next(&loading->reader, loading->err)) == JSON_EVENT_STRING) {
		buf_clear(&name);
		buf_add_str(&name, loading->reader.text);
		if (json_reader_next(&loading->reader, loading->err) != JSON_EVENT_STRING)
			result = damaged(loading);
		else
			result = query_params_add(&loading->shown->params, buf_str(&name), loading->reader.text,
			                          loading->err);
	}
	buf_free(&name);
	return result == 0 && event != JSON_EVENT_ARRAY_END ? damaged(loading) : result;
}

static bool read_next(struct loading *loading, enum json_event event)
{
	return json_reader_next(&loading->reader, loading->err) == event;
}

static bool read_file(struct loading *loading, struct reconcile_file *file)
{
	struct json_reader *reader = &loading->reader;
	int64_t rows, bytes;

	if (!copy_text(file->id, sizeof(file->id), reader->text) || !read_next(loading, JSON_EVENT_STRING) ||
	    !copy_text(file->made.sha256, sizeof(file->made.sha256), reader->text) ||
	    !read_next(loading, JSON_EVENT_NUMBER) || !read_number(&rows, reader->text) ||
	    !read_next(loading, JSON_EVENT_NUMBER) || !read_number(&bytes, reader->text))
		return false;
	file->made.rows = (uint64_t)rows;
	file->made.bytes = (uint64_t)bytes;
	return true;
}

static int read_files(struct loading *loading)
{
	enum json_event event;
	size_t count = 0;

	while ((event = json_reader_next(&loading->reader, loading->err)) == JSON_EVENT_STRING)
		if (count == RECONCILER_CLASSES || !read_file(loading, &loading->shown->files[count++]))
			return damaged(loading);
	return event == JSON_EVENT_ARRAY_END ? 0 : damaged(loading);
}

static int read_members(struct loading *loading)
{
	struct json_reader *reader = &loading->reader;
	enum json_event event;
	char name[32];

	if (json_reader_next(reader, loading->err) != JSON_EVENT_OBJECT)
		return damaged(loading);
	while ((event = json_reader_next(reader, loading->err)) == JSON_EVENT_NAME) {
		if (!copy_text(name, sizeof(name), reader->text))
			return damaged(loading);
		event = json_reader_next(reader, loading->err);
		if (event == JSON_EVENT_ARRAY) {
			if ((strcmp(name, "params") == 0 ? read_params(loading) : read_files(loading)) != 0)
				return -1;
		} else if (event != JSON_EVENT_STRING ||
		           !read_member(loading->shown, name, reader->text, loading->err)) {
			return damaged(loading);
		}
	}
	return event == JSON_EVENT_OBJECT_END ? 0 : damaged(loading);
}

/* A parameter that was right when it was sent may be wrong now: another version of this program reads it. */
static int read_request(struct reconciliation *shown, struct error *err)
{
	struct query_problems problems;

	query_problems_clear(&problems);
	if (reconcile_request_read(&shown->params, shown->creator[0] == '\0', &shown->request, &problems) &&
	    problems.failure.code == ERROR_NONE)
		return 0;
	if (problems.failure.code != ERROR_NONE) {
		*err = problems.failure;
		return -1;
	}
	return error_set(err, ERROR_CORRUPT, "%s: %.300s", problems.list[0].name, problems.list[0].reason);
}

int reconcile_load(struct reconcile_job *job, const char *id, struct error *err)
{
	struct buf text = { 0 };
	struct loading loading = { .shown = &job->shown, .err = err };
	int result = -1;

	err->code = ERROR_NONE;
	if (!copy_text(job->shown.id, sizeof(job->shown.id), str_from(id)))
		return error_set(err, ERROR_CORRUPT, "\"%.64s\" is no id", id);
	if (reconcile_read_file(job->reconciles, id, "job", &text, err) == 0) {
		loading.reader = json_reader_of(buf_str(&text));
		result = read_members(&loading);
		json_reader_free(&loading.reader);
	}
	buf_free(&text);
	return result == 0 ? read_request(&job->shown, err) : -1;
}

/* --- removal --- */

static int remove_dir(const struct reconciles *reconciles, const char *path, struct error *err)
{
	DIR *dir = opendir(path);
	const char *name;
	int number = 0;
	int more;

	if (!dir)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s: cannot be removed", path);
	while ((more = directory_next(dir, path, &name, err)) > 0)
		if (shrinking_unlink(reconciles->context.shrinking, dirfd(dir), name) != 0)
			number = errno;
	closedir(dir);
	if (more < 0 || rmdir(path) == 0)
		return more;
	return error_set_errno(err, number ? number : errno, "%s: cannot be removed", path);
}

int reconcile_remove_dir(const struct reconciles *reconciles, const char *id, struct error *err)
{
	struct buf path = { 0 };

	reconcile_path(reconciles, id, NULL, &path);
	int result = buf_cstr(&path) ? remove_dir(reconciles, path.data, err) :
	                               error_set(err, ERROR_NOMEM, "reconciliation %s: out of memory", id);
	buf_free(&path);
	return result;
}

/* Its files go after its name has, so that whatever is left of them is not it any more. */
int reconcile_remove(const struct reconciles *reconciles, const char *id, struct error *err)
{
	char gone[ID_UUID_LEN + sizeof(".gone")];
	struct buf path = { 0 };

	(void)snprintf(gone, sizeof(gone), "%s.gone", id);
	reconcile_path(reconciles, id, NULL, &path);
	if (!buf_cstr(&path))
		return error_set(err, ERROR_NOMEM, "reconciliation %s: out of memory", id);
	int result;
	if (access(path.data, F_OK) == 0)
		result = reconcile_rename_dir(reconciles, id, gone, err);
	else if (errno == ENOENT) /* another try may have renamed it, and not synced that */
		result = directory_sync(reconciles->dir, err);
	else
		result = error_set_errno(err, errno, "%s", path.data);
	buf_free(&path);
	return result == 0 ? reconcile_remove_dir(reconciles, gone, err) : -1;
}

static void remove_file(const struct reconcile_job *job, const char *name)
{
	struct buf path = { 0 };

	reconcile_path(job->reconciles, job->shown.id, name, &path);
	if (buf_cstr(&path) && shrinking_unlink(job->reconciles->context.shrinking, AT_FDCWD, path.data) != 0 &&
	    errno != ENOENT)
		log_error("reconcile", "%s: cannot be removed: %s", path.data, strerror(errno));
	buf_free(&path);
}

void reconcile_remove_runs(const struct reconcile_job *job)
{
	remove_file(job, RECONCILER_OURS_RUNS);
	remove_file(job, RECONCILER_THEIRS_RUNS);
}

void reconcile_remove_work(const struct reconcile_job *job)
{
	remove_file(job, RECONCILER_UPLOAD);
	reconcile_remove_runs(job);
	for (int i = 0; i < RECONCILER_CLASSES && job->shown.state != REPORT_SUCCESS; i++)
		remove_file(job, reconciler_class_name((enum reconciler_class)i));
}

int reconcile_open_file(const struct reconciles *reconciles, const struct reconciliation *job,
                        enum reconciler_class class, struct error *err)
{
	struct buf path = { 0 };
	int fd = -1;

	reconcile_path(reconciles, job->id, reconciler_class_name(class), &path);
	if (!buf_cstr(&path))
		no_memory(err);
	else if ((fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error_set_errno(err, errno, "%s: open", path.data);
	buf_free(&path);
	return fd;
}
