/* SPDX-License-Identifier: ISC */
/*
 * audit.c: lines of the audit log. See audit.h.
 *
 * A line is written in one write to a descriptor that only appends, so that it stays whole if others write too.
 */
#include "base/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/json.h"
#include "base/log.h"

#define TO_LOG "log"

struct audit {
	const struct config *config;
	int fd; /* -1: the log */
	struct buf line;
	uint64_t failures;
};

/* A descriptor; -1 without error for the log, -2 with *err. */
static int open_file(const char *path, struct error *err)
{
	int fd;
	bool made;

	if (strcmp(path, TO_LOG) == 0 || !path[0])
		return -1;
	made = access(path, F_OK) != 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd >= 0 && (!made || directory_sync_parent(path, err) == 0))
		return fd;
	if (fd < 0)
		error_set_errno(err, errno, "audit_log: %s", path);
	else
		close(fd);
	return -2;
}

struct audit *audit_new(const struct config *config, struct error *err)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (!audit) {
		error_set(err, ERROR_NOMEM, "audit_log: out of memory");
		return NULL;
	}
	audit->config = config;
	audit->fd = open_file(config->audit_log, err);
	if (audit->fd != -2)
		return audit;
	free(audit);
	return NULL;
}

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	if (audit->fd >= 0)
		close(audit->fd);
	buf_free(&audit->line);
	free(audit);
}

int audit_reopen(struct audit *audit, struct error *err)
{
	int fd = open_file(audit->config->audit_log, err);

	if (fd == -2)
		return -1;
	if (audit->fd >= 0)
		close(audit->fd);
	audit->fd = fd;
	return 0;
}

static void write_time(struct json *j)
{
	struct buf text = { 0 };

	clock_format_record(&text, clock_now_us());
	json_str(j, buf_str(&text));
	buf_free(&text);
}

static void write_entry(struct buf *out, const struct audit_entry *entry)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	json_key(&j, "time");
	write_time(&j);
	json_member_text(&j, "action", entry->action);
	json_member_text(&j, "text", entry->text);
	if (entry->operator_name && entry->operator_name[0])
		json_member_text(&j, "operator", entry->operator_name);
	if (entry->has_peer) {
		json_member_uint(&j, "uid", entry->uid);
		json_member_int(&j, "pid", entry->pid);
	}
	if (entry->args.len > 0) {
		json_key(&j, "args");
		json_raw(&j, entry->args);
	}
	json_object_end(&j);
}

/* 0, or an errno. Ends the line if only part of it could be written, so that the next one starts on a new line. */
static int append(int fd, struct str line)
{
	ssize_t written = write(fd, line.p, line.len);

	if (written < 0)
		return errno;
	if ((size_t)written < line.len) {
		ssize_t ended = write(fd, "\n", 1);

		return ended == 1 ? EIO : ENOSPC;
	}
	/* Pipes and the like cannot be synced. */
	return fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

static void append_or_tell(struct audit *audit)
{
	int number;

	buf_add_char(&audit->line, '\n');
	number = audit->line.failed ? ENOMEM : append(audit->fd, buf_str(&audit->line));
	if (number == 0)
		return;
	audit->failures++;
	log_error("audit", "%s: %s: %.*s", audit->config->audit_log, strerror(number),
	          audit->line.failed ? 0 : (int)audit->line.len - 1, audit->line.data);
}

void audit_write(struct audit *audit, const struct audit_entry *entry)
{
	if (!audit)
		return;
	buf_clear(&audit->line);
	write_entry(&audit->line, entry);
	if (audit->fd >= 0)
		append_or_tell(audit);
	else if (buf_cstr(&audit->line))
		log_info("audit", "%s", audit->line.data);
}

uint64_t audit_failures(const struct audit *audit)
{
	return audit ? audit->failures : 0;
}
