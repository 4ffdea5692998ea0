/* SPDX-License-Identifier: ISC */
/*
 * main.c: the program: what it is asked for on its command line, the daemon or a check of its configuration, say.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/log.h"
#include "base/zone.h"
#include "callback/callback.h"
#include "consumer/consumer.h"
#include "daemon/catalog_open.h"
#include "daemon/daemon.h"
#include "daemon/options_check.h"

#define EXIT_USAGE 2

#define MAPPED_FROM_BYTES (1 << 20) /* of one allocation, which is a map of its own */
#define HEAP_SPARE_BYTES (4 << 20)  /* at the heap's end, kept for the next allocations */

static int serve(struct daemon *d)
{
	struct error err;
	int result = daemon_start(d, &err);

	if (result != 0 && d->ending) /* while it waited */
		log_info("main", "%s", err.message);
	else if (result != 0)
		log_error("main", "%s", err.message);
	else if (!d->ending && event_base_dispatch(d->base) < 0)
		log_error("main", "the event loop failed");
	daemon_stop(d);
	if (result == 0)
		log_info("main", "ended");
	return (result == 0 || d->ending) && !d->is_lost ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* -m: makes the cluster's tables, and the catalog's. */
static int migrate(struct daemon *d)
{
	struct error err;
	int result = -1;

	d->base = daemon_make_base();
	if (d->base)
		result = catalog_migrate(&d->config, d->base, &err);
	else
		error_set(&err, ERROR_NOMEM, "event loop: out of memory");
	if (result != 0)
		log_error("main", "%s", err.message);
	else
		printf("The tables of the database %s are there%s.\n", d->config.clickhouse_database,
		       options_use_postgresql(&d->config) ? ", and those of the catalog in PostgreSQL" : "");
	if (d->base)
		event_base_free(d->base);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void log_warning(const char *text)
{
	log_warn("config", "%s", text);
}

/* With a valid configuration, -t ends here and the daemon starts. */
static int run(struct daemon *d)
{
	struct config_faults faults = { .count = 0 };
	int result = options_load_config(&d->options, &d->config, &faults);
	int status;

	if (result != 0)
		daemon_log_faults(&faults, "config", "");
	buf_free(&faults.lines);
	if (result != 0)
		return EXIT_FAILURE;
	if (!d->options.test)
		daemon_apply_log_settings(&d->config);
	options_each_warning(&d->config, log_warning);
	if (d->options.test) {
		puts("The configuration is valid.");
		printf("Kinds of queues that can be consumed: %s.\n",
		       consumers_built_in()[0] ? consumers_built_in() : "none");
		status = EXIT_SUCCESS;
	} else if (d->options.migrate) {
		status = migrate(d);
	} else {
		status = serve(d);
	}
	config_free(&d->config);
	return status;
}

/* LMDB takes 3 MB of each environment that is opened, most of which it never touches: what the system maps for them costs
 * nothing. The C library would put them on its heap, where memory was in use before, as soon as a first one was closed.
 */
static void bound_free_memory(void)
{
#ifdef __GLIBC__
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads yet. */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads yet. */
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_SPARE_BYTES);
#endif
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct error err;
	int status = EXIT_SUCCESS;

	if (callback_courier_is_meant(argc, argv))
		return callback_courier_main();
	log_init();
	zone_init();
	bound_free_memory();
	if (options_parse(&d.options, argc, argv, &err) != 0) {
		fprintf(stderr, "cdrd: %s\n", err.message);
		status = EXIT_USAGE;
	} else if (d.options.help) {
		fputs(options_usage, stdout);
	} else if (d.options.version) {
		puts("cdrd " PACKAGE_VERSION);
	} else {
		status = run(&d);
	}
	options_free(&d.options);
	log_set_topics(NULL);
	return status;
}
