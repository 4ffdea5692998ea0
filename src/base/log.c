/*
 * log.c: log lines to stderr.
 *
 * A line is put together on the stack and leaves in one write, so that lines of several processes on one terminal or
 * pipe do not mix, and so that the log works when memory is out. A line that cannot be written is lost: there is no
 * place left to complain to, and the daemon must not stop for its log.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define TEXT_BYTES_MAX 2048
#define ESCAPE_BYTES 4 /* \xNN */
#define PREFIX_BYTES_MAX 128

static struct {
	enum log_level level;
	bool journal;
	char *topics; /* NULL: all */
} state = { .level = LOG_LEVEL_INFO };

/* The journal's numbers are those of syslog(3). */
static const struct {
	const char *name;
	int journal_priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARN] = { "warn", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

#define LEVELS (sizeof(levels) / sizeof(levels[0]))

void log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");

	state.journal = stream && *stream;
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

void log_set_topics(const char *topics)
{
	char *copy = NULL;

	if (topics && *topics) {
		copy = strdup(topics);
		if (!copy)
			return;
	}
	free(state.topics);
	state.topics = copy;
}

enum log_level log_level(void)
{
	return state.level;
}

const char *log_level_name(enum log_level level)
{
	return (size_t)level < LEVELS ? levels[level].name : "unknown";
}

bool log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < LEVELS; i++) {
		if (strcmp(name, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Is the topic in the comma-separated list? Spaces around a name do not count. */
static bool topic_wanted(const char *topic)
{
	const char *p = state.topics;

	if (!p)
		return true;
	while (*p) {
		size_t length;

		p += strspn(p, ", ");
		length = strcspn(p, ", ");
		if (length > 0 && str_equal(str_from(topic), (struct str){ p, length }))
			return true;
		p += length;
	}
	return false;
}

static size_t write_prefix(char *out, size_t room, enum log_level level, const char *topic)
{
	struct timespec now;
	struct tm utc;
	char date_time[sizeof("yyyy-mm-ddThh:mm:ss")];
	int len;

	if (state.journal) {
		len = snprintf(out, room, "<%d>%s: ", levels[level].journal_priority, topic);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		if (!gmtime_r(&now.tv_sec, &utc) || strftime(date_time, sizeof(date_time), "%FT%T", &utc) == 0)
			date_time[0] = '\0';
		len = snprintf(out, room, "%s.%03dZ %s %s: ", date_time, (int)(now.tv_nsec / 1000000),
			       levels[level].name, topic);
	}
	if (len < 0)
		return 0;
	return (size_t)len < room ? (size_t)len : room - 1;
}

/* Copies text with control characters as \xNN; `out` has room for ESCAPE_BYTES a byte. */
static size_t write_escaped(char *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	char *p = out;

	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= 0x20 && byte != 0x7f) {
			*p++ = *text;
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[byte >> 4];
		*p++ = hex[byte & 15];
	}
	return (size_t)(p - out);
}

static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDERR_FILENO, data, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		data += written;
		len -= (size_t)written;
	}
}

void log_write(enum log_level level, const char *topic, const char *format, ...)
{
	char text[TEXT_BYTES_MAX + 1];
	char line[PREFIX_BYTES_MAX + TEXT_BYTES_MAX * ESCAPE_BYTES + 1];
	int saved_errno = errno; /* a caller may log first and look at errno then */
	va_list args;
	size_t len;

	if (level > state.level || (level == LOG_LEVEL_DEBUG && !topic_wanted(topic)))
		return;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	len = write_prefix(line, PREFIX_BYTES_MAX, level, topic);
	len += write_escaped(line + len, text);
	line[len++] = '\n';
	write_all(line, len);
	errno = saved_errno;
}
