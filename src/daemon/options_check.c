/* SPDX-License-Identifier: ISC */
/*
 * options_check.c: see options_check.h. Each check is a row of a table, so that all are made and reported at once.
 */
#include "daemon/options_check.h"

#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/network.h"
#include "callback/callback.h"
#include "clickhouse/hosts.h"
#include "clickhouse/schema.h"
#include "consumer/consumer.h"
#include "feed/feed.h"
#include "forward/forward.h"
#include "http/http.h"
#include "billing/plans.h"
#include "mapping/mapping.h"
#include "postgresql/postgresql.h"
#include "tls/tls.h"

/* --- paths --- */

/* Checks that a path's directory exists; except for the default's, which the package or systemd makes. */
static int check_parent(const char *key, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct buf parent = { 0 };
	struct stat found;
	int result = 0;

	if (!slash || slash == path)
		return 0;
	buf_add(&parent, path, (size_t)(slash - path));
	if (!buf_cstr(&parent))
		result = error_set(err, ERROR_NOMEM, "%s: out of memory", key);
	else if (stat(parent.data, &found) != 0)
		result = error_set(err, ERROR_INVALID, "%s: %s: its directory: %s", key, path, strerror(errno));
	else if (!S_ISDIR(found.st_mode))
		result = error_set(err, ERROR_INVALID, "%s: %s: %s is no directory", key, path, parent.data);
	buf_free(&parent);
	return result;
}

static bool is_default(const char *key, const char *value)
{
	for (size_t i = 0; i < config_rows_count; i++)
		if (strcmp(config_rows[i].key, key) == 0)
			return strcmp(config_rows[i].fallback, value) == 0;
	return false;
}

static int check_data_dir(const struct config *config, struct error *err)
{
	const char *path = config->data_dir;
	struct stat found;

	if (!path[0])
		return error_set(err, ERROR_INVALID, "data_dir: \"\" is not the path of a directory");
	if (stat(path, &found) == 0)
		return S_ISDIR(found.st_mode) ? 0 : error_set(err, ERROR_INVALID, "data_dir: %s is no directory", path);
	return is_default("data_dir", path) ? 0 : check_parent("data_dir", path, err);
}

static int check_admin_socket(const struct config *config, struct error *err)
{
	const char *path = config->admin_socket;
	const size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	struct stat found;

	if (!path[0])
		return error_set(err, ERROR_INVALID, "admin_socket: \"\" is not the path of a socket");
	if (strlen(path) > longest)
		return error_set(err, ERROR_INVALID, "admin_socket: %zu bytes, at most %zu allowed", strlen(path),
		                 longest);
	if (stat(path, &found) == 0)
		return S_ISSOCK(found.st_mode) ? 0 :
		                                 error_set(err, ERROR_INVALID, "admin_socket: %s is no socket", path);
	return is_default("admin_socket", path) ? 0 : check_parent("admin_socket", path, err);
}

/* Checks a file that is written to, unless the value is one of the setting's words. */
static int check_log_file(const char *key, const char *value, struct error *err)
{
	struct stat found;

	if (value[0] != '/')
		return 0;
	if (stat(value, &found) == 0 && S_ISDIR(found.st_mode))
		return error_set(err, ERROR_INVALID, "%s: %s is a directory", key, value);
	return check_parent(key, value, err);
}

static int check_access_log(const struct config *config, struct error *err)
{
	return check_log_file("access_log", config->access_log, err);
}

static int check_audit_log(const struct config *config, struct error *err)
{
	return check_log_file("audit_log", config->audit_log, err);
}

static int check_readable(const char *key, const char *path, struct error *err)
{
	if (!path[0] || access(path, R_OK) == 0)
		return 0;
	return error_set(err, ERROR_INVALID, "%s: %s: %s", key, path, strerror(errno));
}

static int check_ca_file(const struct config *config, struct error *err)
{
	return check_readable("callback_ca_file", config->callback_ca_file, err);
}

static int check_front_end_ca_file(const struct config *config, struct error *err)
{
	return check_readable("front_end_ca_file", config->front_end_ca_file, err);
}

/* --- the others --- */

/* libcurl itself would accept one slash or three, and white space. */
static bool is_base_url(CURLU *parsed, const char *url)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;

	return scheme > 0 && url[scheme] != '/' && !strpbrk(url, " \"<>?#") &&
	       curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK;
}

static int check_public_url(const struct config *config, struct error *err)
{
	const char *url = config->public_url;
	CURLU *parsed = curl_url();
	bool is_right;

	if (!parsed)
		return error_set(err, ERROR_NOMEM, "public_url: out of memory");
	is_right = !*url || is_base_url(parsed, url);
	curl_url_cleanup(parsed);
	if (!is_right)
		return error_set(err, ERROR_INVALID,
		                 "public_url: \"%.200s\" is not http:// or https://, a host and maybe a path", url);
	return 0;
}

/* The listeners: a setting for the clear, and one for TLS. */
static const struct listener_row {
	const char *setting;
	size_t offset; /* in struct config */
	bool is_encrypted;
} listeners[] = {
#define LISTENER(setting, is_encrypted) \
	{ \
#setting, offsetof(struct config, setting), is_encrypted \
	}
	LISTENER(listen, false),          LISTENER(listen_tls, true),
	LISTENER(metrics_listen, false),  LISTENER(metrics_listen_tls, true),
	LISTENER(operator_listen, false), LISTENER(operator_listen_tls, true),
#undef LISTENER
};
#define LISTENERS (sizeof(listeners) / sizeof(listeners[0]))

static const char *addresses_of(const struct config *config, const struct listener_row *row)
{
	return *(char *const *)(const void *)((const char *)config + row->offset);
}

static int check_addresses(const struct config *config, const struct listener_row *row, struct error *err)
{
	const char *addresses = addresses_of(config, row);

	if (!addresses[0])
		return 0;
	if (http_listen_check(row->setting, addresses, err) != 0)
		return -1;
	/* Without TLS, addresses beyond this machine are taken only where allow_cleartext says so. */
	if (row->is_encrypted || config->allow_cleartext || http_listen_is_local(addresses))
		return 0;
	return error_set(
		err, ERROR_INVALID,
		"%s: %s: beyond this machine HTTP would be in the clear, secrets included: use %s_tls, a proxy on "
		"this machine that ends TLS, or allow_cleartext = yes",
		row->setting, addresses, row->setting);
}

bool options_use_tls(const struct config *config)
{
	for (size_t i = 0; i < LISTENERS; i++)
		if (listeners[i].is_encrypted && addresses_of(config, &listeners[i])[0])
			return true;
	return false;
}

static int check_listen(const struct config *config, struct error *err)
{
	if (config->listen[0] || config->listen_tls[0])
		return 0;
	return error_set(err, ERROR_INVALID, "listen: \"\", and listen_tls is empty too: there is nothing to serve on");
}

static int check_proxies(const struct config *config, struct error *err)
{
	if (config->proxy_protocol && !config->proxies[0])
		return error_set(err, ERROR_INVALID, "proxy_protocol: yes: needs proxies, which is empty");
	return network_list_check("proxies", config->proxies, err);
}

static int check_tls(const struct config *config, struct error *err)
{
	bool is_required = strcmp(config->tls_client_required, "no") != 0;

	if (is_required && !config->tls_client_ca[0])
		return error_set(err, ERROR_INVALID, "tls_client_required: %s: needs tls_client_ca, which is empty",
		                 config->tls_client_required);
	return options_use_tls(config) || config->tls_certificate[0] ? tls_check(config, err) : 0;
}

static int check_callback_allow(const struct config *config, struct error *err)
{
	return callback_allow_check(config->callback_allow, err) == 0 ?
	               callback_networks_check("destination_plain_smtp", config->destination_plain_smtp, err) :
	               -1;
}

static int check_plans(const struct config *config, struct error *err)
{
	return plans_check(config->plans, config->plan_default, config->currency, err);
}

static int check_spool(const struct config *config, struct error *err)
{
	return feeds_check("spool", config->spool, err);
}

static int check_tail(const struct config *config, struct error *err)
{
	return feeds_check("tail", config->tail, err);
}

static int check_amqp(const struct config *config, struct error *err)
{
	return consumers_check("amqp", config->amqp, err);
}

static int check_kafka(const struct config *config, struct error *err)
{
	return consumers_check("kafka", config->kafka, err);
}

static int check_log_topics(const struct config *config, struct error *err)
{
	return log_topics_check(config->log_topics, err);
}

bool options_use_cluster(const struct config *config)
{
	return strcmp(config->store, "clickhouse") == 0;
}

bool options_use_postgresql(const struct config *config)
{
	return strcmp(config->catalog, "postgresql") == 0;
}

/* Where a front end is reached by HTTP in the clear; a name may be anybody's. */
static bool is_clear_beyond_here(const char *url)
{
	static const char scheme[] = "http://", here[] = "localhost:";
	const char *host = url + strlen(scheme);
	struct error err;

	if (strncmp(url, scheme, strlen(scheme)) != 0 || strncmp(host, here, strlen(here)) == 0)
		return false;
	return http_listen_check("front_end_url", host, &err) != 0 || !http_listen_is_local(host);
}

static int check_front_end_url(const struct config *config, struct error *err)
{
	const char *url = config->front_end_url;

	if (!url[0])
		return 0;
	if (!options_use_postgresql(config))
		return error_set(err, ERROR_INVALID, "front_end_url: needs catalog = postgresql");
	if (forward_check_url("front_end_url", url, err) != 0)
		return -1;
	/* One front end inserts into one replica, and another one reads another: the feed would pass over what is not there yet. */
	if (config->clickhouse_quorum < 2 && strchr(config->clickhouse, ','))
		return error_set(
			err, ERROR_INVALID,
			"clickhouse_quorum: %llu: with front_end_url, and a shard of several replicas, it must be 2 "
			"or more",
			(unsigned long long)config->clickhouse_quorum);
	if (config->allow_cleartext || !is_clear_beyond_here(url))
		return 0;
	return error_set(err, ERROR_INVALID,
	                 "front_end_url: %s: beyond this machine, what is forwarded would be in the clear, secrets "
	                 "included: use https://, or allow_cleartext = yes",
	                 url);
}

static int check_postgresql(const struct config *config, struct error *err)
{
	struct error why;

	if (!options_use_postgresql(config))
		return config->postgresql[0] ? error_set(err, ERROR_INVALID, "postgresql: needs catalog = postgresql") :
		                               0;
	if (!options_use_cluster(config))
		return error_set(err, ERROR_INVALID, "catalog: postgresql: needs store = clickhouse");
	if (!config->postgresql[0])
		return error_set(err, ERROR_INVALID, "catalog: postgresql: needs postgresql, which is empty");
	if (postgresql_check(config->postgresql, &why) != 0)
		return error_set(err, ERROR_INVALID, "postgresql: %s", why.message);
	return check_readable("postgresql_password_file", config->postgresql_password_file, err);
}

static int check_cluster(const struct config *config, struct error *err)
{
	if (!options_use_cluster(config) && !config->clickhouse[0]) /* with it, records may be moved there */
		return 0;
	if (clickhouse_hosts_check(config->clickhouse, err) != 0)
		return -1;
	if (!schema_is_name(str_from(config->clickhouse_database)))
		return error_set(err, ERROR_INVALID,
		                 "clickhouse_database: \"%.64s\" is not 1 to 64 letters, digits and _, no digit first",
		                 config->clickhouse_database);
	return check_readable("clickhouse_password_file", config->clickhouse_password_file, err);
}

/* Each may have many faults of its own. */
static void check_mappings(const struct config *config, struct config_faults *faults)
{
	struct mappings *mappings = mappings_new();
	struct error err;

	if (!mappings) {
		(void)error_set(&err, ERROR_NOMEM, "mappings: out of memory");
		config_faults_add(faults, &err);
	} else {
		MAY_FAIL(mappings_load(mappings, mappings_directory(config), faults)); /* the faults say so */
	}
	mappings_free(mappings);
}

void options_check(const struct config *config, struct config_faults *faults)
{
	static int (*const checks[])(const struct config *config, struct error *err) = {
		check_listen,  check_data_dir,       check_admin_socket, check_public_url,    check_plans,
		check_ca_file, check_callback_allow, check_log_topics,   check_access_log,    check_audit_log,
		check_spool,   check_tail,           check_amqp,         check_kafka,         check_tls,
		check_proxies, check_cluster,        check_postgresql,   check_front_end_url, check_front_end_ca_file,
	};
	struct error err;

	check_mappings(config, faults);
	for (size_t i = 0; i < LISTENERS; i++)
		if (check_addresses(config, &listeners[i], &err) != 0)
			config_faults_add(faults, &err);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](config, &err) != 0)
			config_faults_add(faults, &err);
}

/* --- warnings --- */

void options_each_warning(const struct config *config, void (*tell)(const char *text))
{
	if (!http_listen_is_local(config->listen))
		tell("listen: beyond this machine HTTP is in the clear, secrets included, as allow_cleartext says");
	if (config->operator_listen[0] && !http_listen_is_local(config->operator_listen))
		tell("operator_listen: beyond this machine HTTP is in the clear, secrets included, as allow_cleartext says");
	if (config->metrics_listen[0] && !http_listen_is_local(config->metrics_listen))
		tell("metrics_listen: /metrics asks for no credentials: see that the monitoring alone reaches it");
}
