/* SPDX-License-Identifier: ISC */
/*
 * options.c: the command line of cdrd(8). The same options are applied again at each reload.
 */
#include "daemon/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "daemon/options_check.h"

#define DEFAULT_FILE CDRD_SYSCONFDIR "/cdrd/cdrd.conf"

const char options_usage[] =
	"Usage: cdrd [-c FILE] [-o KEY=VALUE]... [-t] [-m] [-V]\n"
	"Keep call detail records and answer the Reports API, in the foreground.\n"
	"\n"
	"  -c FILE       read settings from FILE (" DEFAULT_FILE ", if it exists)\n"
	"  -o KEY=VALUE  set one setting, whatever the file says; see cdrd.conf(5)\n"
	"  -t            check the configuration and exit\n"
	"  -m            make the tables of ClickHouse and PostgreSQL that are not there yet, and exit\n"
	"  -V            print the version and exit\n"
	"  -h            show this and exit\n";

static int take_option(struct options *options, int code, struct error *err)
{
	switch (code) {
	case 'c':
		options->file = optarg;
		return 0;
	case 'o':
		options->settings[options->settings_count++] = optarg;
		if (strchr(optarg, '='))
			return 0;
		return error_set(err, ERROR_INVALID, "-o %s: must be KEY=VALUE", optarg);
	case 't':
		options->test = true;
		return 0;
	case 'm':
		options->migrate = true;
		return 0;
	case 'V':
		options->version = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	case ':':
		return error_set(err, ERROR_INVALID, "-%c: needs a value; see cdrd -h", optopt);
	default:
		if (optopt == '-') /* --help, say, of which getopt() sees the second - only */
			return error_set(err, ERROR_INVALID, "options have one letter, such as -c; see cdrd -h");
		return error_set(err, ERROR_INVALID, "-%c: no such option; see cdrd -h", optopt);
	}
}

int options_parse(struct options *options, int argc, char **argv, struct error *err)
{
	int code;

	*options = (struct options){ .settings = calloc((size_t)argc, sizeof(*options->settings)) };
	if (!options->settings)
		return error_set(err, ERROR_NOMEM, "out of memory");
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): at start, before other threads begin */
	while ((code = getopt(argc, argv, ":c:o:tmVh")) != -1)
		if (take_option(options, code, err) != 0)
			return -1;
	if (optind < argc)
		return error_set(err, ERROR_INVALID, "%s: not an option; see cdrd -h", argv[optind]);
	return 0;
}

void options_free(struct options *options)
{
	free(options->settings);
	*options = (struct options){ 0 };
}

static void read_file(const struct options *options, struct config *config, struct config_faults *faults)
{
	if (options->file)
		(void)config_read_file(config, options->file, faults);
	else if (access(DEFAULT_FILE, F_OK) == 0 || errno != ENOENT)
		(void)config_read_file(config, DEFAULT_FILE, faults);
}

static int set_one(struct config *config, const char *setting, struct error *err)
{
	struct buf key = { 0 };
	const char *equals = strchr(setting, '=');
	int result;

	buf_add(&key, setting, (size_t)(equals - setting));
	result = buf_cstr(&key) ? config_set(config, key.data, equals + 1, err) :
	                          error_set(err, ERROR_NOMEM, "-o %s: out of memory", setting);
	buf_free(&key);
	return result;
}

static void set_all(const struct options *options, struct config *config, struct config_faults *faults)
{
	struct error err;

	for (size_t i = 0; i < options->settings_count; i++)
		if (set_one(config, options->settings[i], &err) != 0)
			config_faults_add(faults, &err);
}

int options_load_config(const struct options *options, struct config *config, struct config_faults *faults)
{
	struct error err;

	if (config_init(config, &err) != 0) {
		config_faults_add(faults, &err);
		return -1;
	}
	read_file(options, config, faults);
	set_all(options, config, faults);
	options_check(config, faults);
	if (faults->count == 0 && !faults->lines.failed)
		return 0;
	config_free(config);
	return -1;
}
