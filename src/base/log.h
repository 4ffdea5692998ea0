/* SPDX-License-Identifier: ISC */
/*
 * log.h: the log, the one piece of global state.
 *
 * Lines go to stderr: "2026-11-24T14:20:11.123Z info store: text", or under systemd (JOURNAL_STREAM is set)
 * "<6>store: text" with the journal's priority. The topic is the module. Texts are cut at 2 KiB; control characters,
 * bytes that are no UTF-8 and marks that change how text is shown are written as \xNN, so that nothing a client sends
 * can forge a line or mislead a terminal.
 */
#ifndef CDRD_BASE_LOG_H
#define CDRD_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Reads the environment once; call it before the first line. */
void log_init(void);

/* Lines above `level` are dropped. `topics` is a comma-separated list of the topics whose debug lines are wanted;
 * NULL or "" wants all. The text is copied. */
void log_set_level(enum log_level level);
void log_set_topics(const char *topics);

/* Do these topics exist? ERROR_INVALID names the setting log_topics, the first unknown one, and all there are. */
MUST_CHECK int log_topics_check(const char *topics, struct error *err);

enum log_level log_level(void);
const char *log_level_name(enum log_level level);

/* Sets *level from "error", "warn", "info" or "debug"; false for any other text. */
bool log_level_parse(const char *name, enum log_level *level);

void log_write(enum log_level level, const char *topic, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(topic, ...) log_write(LOG_LEVEL_ERROR, (topic), __VA_ARGS__)
#define log_warn(topic, ...) log_write(LOG_LEVEL_WARN, (topic), __VA_ARGS__)
#define log_info(topic, ...) log_write(LOG_LEVEL_INFO, (topic), __VA_ARGS__)
#define log_debug(topic, ...) \
	do { \
		if (log_level() >= LOG_LEVEL_DEBUG) \
			log_write(LOG_LEVEL_DEBUG, (topic), __VA_ARGS__); \
	} while (0)

#endif
