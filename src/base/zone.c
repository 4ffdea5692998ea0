/* SPDX-License-Identifier: ISC */
/*
 * zone.c: time zones as tables of offsets. See zone.h.
 *
 * The C library reads tzdata, for one zone at a time: that of the process's TZ. So TZ is set, the range is searched for
 * changes of offset, day by day and then to the second, and TZ is restored before any other code of this thread runs.
 */
#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define DATABASE "/usr/share/zoneinfo/"
#define LOCAL ":/etc/localtime" /* what no TZ stands for */
#define MAGIC "TZif"
#define AROUND_US (40 * CLOCK_US_PER_DAY) /* the range's first month begins at most that much earlier */
#define OFFSET_MAX_MINUTES (14 * 60)
#define SECONDS_PER_DAY 86400

void zone_init(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has begun. */
	setenv("TZ", LOCAL, 0);
}

static const struct zone_span *spans_of(const struct zone *zone, size_t *count)
{
	*count = zone->spans.len / sizeof(struct zone_span);
	return (const struct zone_span *)(const void *)zone->spans.data;
}

static int add_span(struct zone *zone, int64_t from_us, int64_t offset_us, struct error *err)
{
	struct zone_span span = { from_us, offset_us };

	buf_add(&zone->spans, &span, sizeof(span));
	return zone->spans.failed ? error_set(err, ERROR_NOMEM, "time zone: out of memory") : 0;
}

/* --- offsets as text --- */

static int two_digits(const char *p)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return -1;
	return (p[0] - '0') * 10 + (p[1] - '0');
}

/* ±hh, ±hhmm or ±hh:mm; a space is a plus that was not encoded. */
static bool parse_offset(struct str text, int64_t *offset_us)
{
	int hours, minutes = 0;
	size_t colon = text.len == 6 && text.p[3] == ':';

	if (text.len != 3 && text.len != 5 && text.len != 6)
		return false;
	if (!strchr("+- ", text.p[0]) || (text.len == 6 && !colon))
		return false;
	hours = two_digits(text.p + 1);
	if (text.len > 3)
		minutes = two_digits(text.p + 3 + colon);
	if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > OFFSET_MAX_MINUTES)
		return false;
	*offset_us = (hours * 60 + minutes) * 60 * CLOCK_US_PER_SECOND;
	if (text.p[0] == '-')
		*offset_us = -*offset_us;
	return true;
}

/* --- names --- */

/* ":/usr/share/zoneinfo/Europe/Berlin", if that is a time zone's file. `right/` counts leap seconds, which nothing here
 * does. */
static int find_file(struct str name, char value[ZONE_NAME_MAX + sizeof(DATABASE) + 2], struct error *err)
{
	char magic[4] = "";
	size_t at = sizeof(DATABASE);

	memcpy(value, ":" DATABASE, sizeof(DATABASE) + 1);
	if (name.len == 0 || name.len > ZONE_NAME_MAX || name.p[0] == '/' ||
	    (name.len > 6 && memcmp(name.p, "right/", 6) == 0))
		return 0;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i] == ' ' ? '+' : name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("_+-/", c))
			return 0;
		value[at++] = c;
	}
	value[at] = '\0';
	int fd = open(value + 1, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, magic, sizeof(magic)) : -1;
	int number = got < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (number != 0 && number != ENOENT && number != ENOTDIR && number != EISDIR && number != EACCES)
		return error_set_errno(err, number, "time zone %.*s", STR_ARGS(name));
	return got == (ssize_t)sizeof(magic) && memcmp(magic, MAGIC, sizeof(magic)) == 0;
}

static int64_t offset_now(time_t time_s)
{
	struct tm local = { 0 };

	(void)localtime_r(&time_s, &local);
	return local.tm_gmtoff * CLOCK_US_PER_SECOND;
}

/* The first second after `from` with another offset; `to` must have another one. */
static time_t find_change(time_t from, time_t to)
{
	int64_t offset_us = offset_now(from);

	while (to - from > 1) {
		time_t mid = from + (to - from) / 2;

		if (offset_now(mid) == offset_us)
			from = mid;
		else
			to = mid;
	}
	return to;
}

/* TZ must be set to the zone. */
static int fill_spans(struct zone *zone, int64_t from_us, int64_t to_us, struct error *err)
{
	time_t at = (time_t)((from_us - AROUND_US) / CLOCK_US_PER_SECOND);
	time_t end = (time_t)((to_us + AROUND_US) / CLOCK_US_PER_SECOND);
	int64_t offset_us = offset_now(at);

	if (add_span(zone, INT64_MIN, offset_us, err) < 0)
		return -1;
	for (; at < end; at += SECONDS_PER_DAY) {
		if (offset_now(at + SECONDS_PER_DAY) == offset_us)
			continue;
		time_t change = find_change(at, at + SECONDS_PER_DAY);

		offset_us = offset_now(change);
		if (add_span(zone, change * CLOCK_US_PER_SECOND, offset_us, err) < 0)
			return -1;
	}
	return 0;
}

/* Has the C library read the file? If it could not, it goes on with UTC, under an empty name. */
static bool is_loaded(void)
{
	struct tm local = { 0 };
	time_t epoch = 0;

	return localtime_r(&epoch, &local) && local.tm_zone && local.tm_zone[0];
}

static int load_named(struct zone *zone, const char *value, int64_t from_us, int64_t to_us, struct error *err)
{
	const char *was = getenv("TZ");
	char *kept = strdup(was ? was : LOCAL);
	int result;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a variable that is there gets another text; its old one stays. */
	if (!kept || setenv("TZ", value, 1) != 0) {
		free(kept);
		return error_set(err, ERROR_NOMEM, "time zone: out of memory");
	}
	tzset();
	result = is_loaded() ? fill_spans(zone, from_us, to_us, err) :
	                       error_set(err, ERROR_NOMEM, "%s: cannot be loaded", value + 1);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the same as above */
	setenv("TZ", kept, 1);
	tzset();
	free(kept);
	return result;
}

int zone_load(struct zone *zone, struct str name, int64_t from_us, int64_t to_us, struct error *err)
{
	char value[ZONE_NAME_MAX + sizeof(DATABASE) + 2];
	int64_t offset_us = 0;

	*zone = (struct zone){ 0 };
	if (str_is(name, "UTC") || str_is(name, "Z") || parse_offset(name, &offset_us))
		return add_span(zone, INT64_MIN, offset_us, err);
	int found = find_file(name, value, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return error_set(err, ERROR_INVALID,
		                 "Not a time zone's name, such as Europe/Berlin, or an offset, such as +02:00");
	return load_named(zone, value, from_us, to_us, err);
}

void zone_free(struct zone *zone)
{
	buf_free(&zone->spans);
}

/* --- questions --- */

static const struct zone_span *span_at(struct zone *zone, int64_t time_us, int64_t *until_us)
{
	size_t count;
	const struct zone_span *spans = spans_of(zone, &count);

	if (zone->at >= count || spans[zone->at].from_us > time_us)
		zone->at = 0;
	while (zone->at + 1 < count && spans[zone->at + 1].from_us <= time_us)
		zone->at++;
	*until_us = zone->at + 1 < count ? spans[zone->at + 1].from_us : INT64_MAX;
	return &spans[zone->at];
}

int64_t zone_offset_us(struct zone *zone, int64_t time_us)
{
	int64_t until_us;

	return span_at(zone, time_us, &until_us)->offset_us;
}

int64_t zone_moment_us(struct zone *zone, int64_t local_us)
{
	size_t count, i = 0;
	const struct zone_span *spans = spans_of(zone, &count);

	while (i + 1 < count && spans[i + 1].from_us + spans[i].offset_us <= local_us)
		i++;
	int64_t moment_us = local_us - spans[i].offset_us;

	return moment_us > spans[i].from_us ? moment_us : spans[i].from_us;
}

bool zone_find_moment(struct zone *zone, int64_t local_us, int64_t *time_us)
{
	size_t count;
	const struct zone_span *spans = spans_of(zone, &count);

	for (size_t i = 0; i < count; i++) {
		int64_t moment_us = local_us - spans[i].offset_us;

		if (moment_us < spans[i].from_us)
			return false; /* after the end of the previous one */
		*time_us = moment_us;
		if (i + 1 == count || moment_us < spans[i + 1].from_us)
			return true;
	}
	return false;
}

static int64_t month_start_us(int64_t local_us)
{
	time_t seconds = (time_t)(clock_day_of(local_us)) * SECONDS_PER_DAY;
	struct tm local = { 0 };

	(void)gmtime_r(&seconds, &local);
	return clock_day_start_us(clock_day_of(local_us) - (local.tm_mday - 1));
}

/* Local time at which the interval begins, and the next one does. */
static void local_bounds(enum zone_interval interval, int64_t local_us, int64_t *start_us, int64_t *next_us)
{
	int64_t day_us = clock_day_start_us(clock_day_of(local_us));

	if (interval == ZONE_HOUR) {
		*start_us = local_us - (local_us - day_us) % CLOCK_US_PER_HOUR;
		*next_us = *start_us + CLOCK_US_PER_HOUR;
	} else if (interval == ZONE_DAY) {
		*start_us = day_us;
		*next_us = day_us + CLOCK_US_PER_DAY;
	} else {
		*start_us = month_start_us(local_us);
		*next_us = month_start_us(*start_us + 32 * CLOCK_US_PER_DAY);
	}
}

int64_t zone_interval_start_us(struct zone *zone, enum zone_interval interval, int64_t time_us, int64_t *until_us)
{
	const struct zone_span *span = span_at(zone, time_us, until_us);
	int64_t start_us, next_us;

	if (interval == ZONE_WHOLE) {
		*until_us = INT64_MAX;
		return INT64_MIN;
	}
	local_bounds(interval, time_us + span->offset_us, &start_us, &next_us);
	if (next_us - span->offset_us < *until_us)
		*until_us = next_us - span->offset_us;
	if (interval != ZONE_HOUR)
		return zone_moment_us(zone, start_us);
	/* an hour that occurs twice, or in which the clock was set back by less, is two */
	start_us -= span->offset_us;
	return start_us > span->from_us ? start_us : span->from_us;
}

void zone_format(struct zone *zone, struct buf *out, int64_t time_us)
{
	int64_t offset_us = zone_offset_us(zone, time_us);
	int64_t minutes = (offset_us < 0 ? -offset_us : offset_us) / (60 * CLOCK_US_PER_SECOND);
	size_t begin = out->len;

	clock_format_record(out, time_us + offset_us);
	if (out->failed || out->len < begin + 6)
		return;
	out->len -= 6; /* +00:00 */
	buf_addf(out, "%c%02d:%02d", offset_us < 0 ? '-' : '+', (int)(minutes / 60), (int)(minutes % 60));
}
