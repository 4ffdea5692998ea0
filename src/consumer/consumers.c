/* SPDX-License-Identifier: ISC */
/*
 * consumers.c: the consumers that the settings name, and what all kinds have in common. See consumer.h.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "consumer/consumer_private.h"

#define PAUSE_MIN_US CLOCK_US_PER_SECOND
#define PAUSE_MAX_US (30 * CLOCK_US_PER_SECOND)
#define STEADY_US (60 * CLOCK_US_PER_SECOND) /* what has worked for so long begins with short pauses again */

/* The settings, and what reads them; NULL where it is not built in. */
static const struct {
	const char *key;
	const struct consumer_kind *kind;
	const char *lacks;
} kinds[] = {
#ifdef WITH_AMQP
	{ "amqp", &amqp_kind, "" },
#else
	{ "amqp", NULL, "librabbitmq" },
#endif
#ifdef WITH_KAFKA
	{ "kafka", &kafka_kind, "" },
#else
	{ "kafka", NULL, "librdkafka" },
#endif
};
#define KINDS_COUNT (sizeof(kinds) / sizeof(kinds[0]))

const char *consumers_built_in(void)
{
#if defined(WITH_AMQP) && defined(WITH_KAFKA)
	return "amqp, kafka";
#elif defined(WITH_AMQP)
	return "amqp";
#elif defined(WITH_KAFKA)
	return "kafka";
#else
	return "";
#endif
}

static int read_setting(size_t i, const char *text, consumer_settings_fn fn, void *arg, struct error *err)
{
	struct error why;

	if (!kinds[i].kind) {
		if (!text[0])
			return 0;
		return error_set(err, ERROR_INVALID, "%s: this cdrd was built without %s (configure --with-%s)",
		                 kinds[i].key, kinds[i].lacks, kinds[i].key);
	}
	if (consumer_settings_read(text, kinds[i].kind, fn, arg, &why) == 0)
		return 0;
	return error_set(err, why.code, "%s: %s", kinds[i].key, why.message);
}

int consumers_check(const char *key, const char *text, struct error *err)
{
	for (size_t i = 0; i < KINDS_COUNT; i++)
		if (strcmp(kinds[i].key, key) == 0)
			return read_setting(i, text, NULL, NULL, err);
	return error_set(err, ERROR_INVALID, "%s: no such setting", key);
}

/* --- what the kinds need --- */

void consumer_wake(struct consumer *consumer, int64_t pause_us)
{
	struct error err;

	/* The daemon's own tasks need no memory. */
	if (pause_us > 0)
		MAY_FAIL(task_start_in(&consumer->task, pause_us, &err));
	else
		MAY_FAIL(task_start(&consumer->task, &err));
}

void consumer_works(struct consumer *consumer)
{
	if (!consumer->connected) {
		consumer->connected = true;
		consumer->connected_us = clock_monotonic_us();
		log_info("consumer", "%s %s: consuming", consumer->settings.address, consumer->settings.queue);
	}
	consumer->problem[0] = '\0';
}

bool consumer_is_full(struct consumer *consumer)
{
	consumer->is_full = ingest_is_full(consumer->consumers->ingest);
	return consumer->is_full;
}

void consumer_tell(struct consumer *consumer, const struct error *err)
{
	if (strcmp(consumer->problem, err->message) != 0)
		log_error("consumer", "%s %s: %s; trying again", consumer->settings.address, consumer->settings.queue,
		          err->message);
	str_cut(consumer->problem, sizeof(consumer->problem), err->message);
}

int64_t consumer_next_pause(struct consumer *consumer)
{
	int64_t pause_us = consumer->pause_us;

	if (pause_us == 0 || (consumer->connected && clock_monotonic_us() - consumer->connected_us >= STEADY_US))
		pause_us = PAUSE_MIN_US;
	consumer->pause_us = pause_us * 2 < PAUSE_MAX_US ? pause_us * 2 : PAUSE_MAX_US;
	return pause_us;
}

/* Everything begins anew after a pause. */
static void interrupt(struct consumer *consumer, const struct error *err)
{
	int64_t pause_us = consumer_next_pause(consumer);

	consumer_tell(consumer, err);
	consumer->counts.interruptions++;
	consumer->connected = false;
	messages_free(consumer);
	consumer->kind->end(consumer);
	consumer->has_failed = false;
	consumer_wake(consumer, pause_us);
}

static void on_step(void *arg, int64_t deadline_us)
{
	struct consumer *consumer = arg;
	struct error err;
	int result;

	task_cancel(&consumer->task);
	result = consumer->link ? consumer->kind->step(consumer, deadline_us, &err) :
	                          consumer->kind->begin(consumer, &err);
	if (result != 0)
		interrupt(consumer, &err);
}

static int on_stored(void *arg, struct error *err)
{
	struct consumers *consumers = arg;
	struct consumer *consumer;

	STAILQ_FOREACH(consumer, &consumers->list, entry)
		if (consumer->link && consumer->kind->on_stored && consumer->kind->on_stored(consumer, err) != 0)
			return -1;
	return 0;
}

static void on_commit(void *arg)
{
	const struct consumers *consumers = arg;
	struct consumer *consumer;

	STAILQ_FOREACH(consumer, &consumers->list, entry) {
		if (consumer->link && consumer->kind->on_commit)
			consumer->kind->on_commit(consumer);
		if (consumer->link && consumer->is_full)
			consumer_wake(consumer, 0);
	}
}

/* --- up and down --- */

struct adding {
	struct consumers *consumers;
	const struct consumer_kind *kind;
};

static int add(void *arg, const struct consumer_settings *settings, struct error *err)
{
	const struct adding *adding = arg;
	struct consumer *consumer = calloc(1, sizeof(*consumer));

	if (!consumer)
		return error_set(err, ERROR_NOMEM, "out of memory");
	consumer->consumers = adding->consumers;
	consumer->kind = adding->kind;
	consumer->settings = *settings;
	TAILQ_INIT(&consumer->messages);
	task_init(&consumer->task, adding->consumers->tasks, "", TASK_ADMIN, on_step, consumer);
	STAILQ_INSERT_TAIL(&adding->consumers->list, consumer, entry);
	consumer_wake(consumer, 0);
	return 0;
}

static int add_all(struct consumers *consumers, struct error *err)
{
	const char *const texts[KINDS_COUNT] = { consumers->config->amqp, consumers->config->kafka };

	for (size_t i = 0; i < KINDS_COUNT; i++) {
		struct adding adding = { consumers, kinds[i].kind };

		if (read_setting(i, texts[i], add, &adding, err) != 0)
			return -1;
	}
	return 0;
}

struct consumers *consumers_new(struct tasks *tasks, const struct config *config, struct meta *meta,
                                struct ingest *ingest, struct error *err)
{
	struct consumers *consumers = calloc(1, sizeof(*consumers));

	if (!consumers) {
		error_set(err, ERROR_NOMEM, "consumers: out of memory");
		return NULL;
	}
	consumers->tasks = tasks;
	consumers->config = config;
	consumers->meta = meta;
	consumers->ingest = ingest;
	STAILQ_INIT(&consumers->list);
	consumers->watch = (struct ingest_watch){ .on_commit = on_commit, .on_stored = on_stored, .arg = consumers };
	ingest_watch_commits(ingest, &consumers->watch);
	consumers->resolver = resolver_new(tasks_base(tasks), "/etc/resolv.conf", "/etc/hosts", err);
	if (consumers->resolver && add_all(consumers, err) == 0)
		return consumers;
	consumers_free(consumers);
	return NULL;
}

void consumers_free(struct consumers *consumers)
{
	struct consumer *consumer;

	if (!consumers)
		return;
	STAILQ_FOREACH(consumer, &consumers->list, entry) {
		messages_free(consumer);
		consumer->kind->end(consumer);
	}
	STAILQ_FOREACH(consumer, &consumers->list, entry)
		if (consumer->kind->finish)
			consumer->kind->finish(consumers);
	while ((consumer = STAILQ_FIRST(&consumers->list))) {
		STAILQ_REMOVE_HEAD(&consumers->list, entry);
		task_cancel(&consumer->task);
		free(consumer);
	}
	ingest_unwatch_commits(consumers->ingest, &consumers->watch);
	resolver_free(consumers->resolver);
	free(consumers);
}

void consumers_each(const struct consumers *consumers, void (*fn)(void *arg, const struct consumer_status *status),
                    void *arg)
{
	const struct consumer *consumer;

	STAILQ_FOREACH(consumer, &consumers->list, entry) {
		struct consumer_status status = consumer->counts;

		status.kind = consumer->kind->name;
		status.address = consumer->settings.address;
		status.queue = consumer->settings.queue;
		status.mapping = consumer->settings.ingest.mapping;
		status.problem = consumer->problem;
		status.connected = consumer->connected;
		status.waiting = consumer->waiting;
		status.lag = consumer->link ? consumer->kind->lag(consumer) : -1;
		fn(arg, &status);
	}
}
