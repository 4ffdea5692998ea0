/* SPDX-License-Identifier: ISC */
/*
 * log.c: log lines to stderr.
 *
 * A line is built on the stack and written in one write, so that lines of several processes on one terminal or pipe do
 * not mix, and so that the log works when out of memory. A line that cannot be written is lost: there is nowhere left
 * to report it, and the daemon must not stop for its log.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
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

/* The modules, and parts of them with their own topic. A test compares them with what is logged. */
static const char *const known_topics[] = {
	"access",      "admin",   "audit",     "backup",  "billing",   "callback", "cluster", "config", "consumer",
	"destination", "disk",    "feed",      "forward", "http",      "ingest",   "limits",  "log",    "main",
	"postgresql",  "privacy", "reconcile", "report",  "retention", "schedule", "store",   "verify",
};

static bool is_known(struct str topic)
{
	for (size_t i = 0; i < sizeof(known_topics) / sizeof(known_topics[0]); i++)
		if (str_is(topic, known_topics[i]))
			return true;
	return topic.len == 0;
}

static int refuse_topic(struct str topic, struct error *err)
{
	char known[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(known_topics) / sizeof(known_topics[0]); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "", known_topics[i]);
	return error_set(err, ERROR_INVALID, "log_topics: \"%.*s\" is no topic; there are %s",
	                 (int)(topic.len < 64 ? topic.len : 64), topic.p, known);
}

/* The next topic of the list, without spaces around it. */
static struct str next_topic(const char **list)
{
	struct str topic = { *list + strspn(*list, " "), 0 };

	topic.len = strcspn(topic.p, ",");
	*list = topic.p + topic.len + (topic.p[topic.len] == ',');
	while (topic.len > 0 && topic.p[topic.len - 1] == ' ')
		topic.len--;
	return topic;
}

int log_topics_check(const char *topics, struct error *err)
{
	while (*topics) {
		struct str topic = next_topic(&topics);

		if (!is_known(topic))
			return refuse_topic(topic, err);
	}
	return 0;
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

/* Characters that would mislead a terminal or a reader of the log: C0 and C1 controls, marks that change the direction
 * of text, line and paragraph separators. */
static bool is_misleading(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* The length of the character at `text` if it can be written as it is; 0 if its first byte must be escaped. */
static size_t plain_length(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = length == 1 ? p[0] : p[0] & (0xffU >> (length + 1));

	if (length > len || !json_is_utf8((struct str){ text, length }))
		return 0;
	for (size_t i = 1; i < length; i++)
		c = c << 6 | (p[i] & 0x3f);
	return is_misleading(c) ? 0 : length;
}

/* Copies text, replacing bytes that must not be shown by \xNN; `out` has room for ESCAPE_BYTES per byte. */
static size_t write_escaped(char *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = strlen(text);
	char *p = out;

	while (len > 0) {
		size_t plain = plain_length(text, len), taken = plain ? plain : 1;
		unsigned char byte = (unsigned char)*text;

		if (plain) {
			memcpy(p, text, plain);
			p += plain;
		} else {
			*p++ = '\\';
			*p++ = 'x';
			*p++ = hex[byte >> 4];
			*p++ = hex[byte & 15];
		}
		text += taken;
		len -= taken;
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
	int saved_errno = errno; /* a caller may log before it uses errno */
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
