/*
 * options.c: the command line of cdrd(8). The same options are applied again at each reload.
 */
#include "daemon/options.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "callback/callback.h"
#include "http/http.h"
#include "meter/plans.h"

#define DEFAULT_FILE CDRD_SYSCONFDIR "/cdrd/cdrd.conf"

const char options_usage[] =
	"Usage: cdrd [-c FILE] [-o KEY=VALUE]... [-t] [-V]\n"
	"Keep call detail records and answer the Reports API, in the foreground.\n"
	"\n"
	"  -c FILE       read settings from FILE (" DEFAULT_FILE ", if it exists)\n"
	"  -o KEY=VALUE  set one setting, whatever the file says; see cdrd.conf(5)\n"
	"  -t            check the configuration and exit\n"
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
	case 'V':
		options->version = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	case ':':
		return error_set(err, ERROR_INVALID, "-%c: needs a value; see cdrd -h", optopt);
	default:
		return error_set(err, ERROR_INVALID, "-%c: no such option; see cdrd -h", optopt);
	}
}

int options_parse(struct options *options, int argc, char **argv, struct error *err)
{
	int code;

	*options = (struct options){ .settings = calloc((size_t)argc, sizeof(*options->settings)) };
	if (!options->settings)
		return error_set(err, ERROR_NOMEM, "out of memory");
	while ((code = getopt(argc, argv, ":c:o:tVh")) != -1)
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

static int read_file(const struct options *options, struct config *config, struct error *err)
{
	if (options->file)
		return config_read_file(config, options->file, err);
	if (access(DEFAULT_FILE, F_OK) == 0)
		return config_read_file(config, DEFAULT_FILE, err);
	return 0;
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

static int set_all(const struct options *options, struct config *config, struct error *err)
{
	for (size_t i = 0; i < options->settings_count; i++)
		if (set_one(config, options->settings[i], err) != 0)
			return -1;
	return 0;
}

/* Settings of text that have no bounds but cannot be just anything. */
static int check_texts(const struct config *config, struct error *err)
{
	const char *url = config->public_url;
	bool has_host = strncasecmp(url, "http://", 7) == 0 ? url[7] != '\0' : strncasecmp(url, "https://", 8) == 0 && url[8];

	if (!config->data_dir[0])
		return error_set(err, ERROR_INVALID, "data_dir: \"\" is not the path of a directory");
	if (!config->admin_socket[0])
		return error_set(err, ERROR_INVALID, "admin_socket: \"\" is not the path of a socket");
	if (*url && (!has_host || strpbrk(url, " \"<>?#")))
		return error_set(err, ERROR_INVALID, "public_url: \"%.200s\" is not http:// or https://, a host and maybe a path", url);
	return 0;
}

int options_load_config(const struct options *options, struct config *config, struct error *err)
{
	if (config_init(config, err) != 0)
		return -1;
	if (read_file(options, config, err) == 0 && set_all(options, config, err) == 0 && check_texts(config, err) == 0 &&
	    http_listen_check("listen", config->listen, err) == 0 &&
	    (!config->metrics_listen[0] || http_listen_check("metrics_listen", config->metrics_listen, err) == 0) &&
	    callback_allow_check(config->callback_allow, err) == 0 &&
	    plans_check(config->plans, config->plan_default, config->currency, err) == 0)
		return 0;
	config_free(config);
	return -1;
}
