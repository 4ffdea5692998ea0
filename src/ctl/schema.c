/* SPDX-License-Identifier: ISC */
/*
 * schema.c: `cdrctl schema clickhouse` and `cdrctl schema postgresql`, which need no daemon: the statements that make
 * the tables of records, and those of a catalog.
 */
#include "base/json.h"
#include "clickhouse/schema.h"
#include "ctl/ctl.h"
#include "postgresql/tables.h"

#define SERVER_DEFAULT "26"
#define DATABASE_DEFAULT "cdrd"

static void write_statements(struct buf *out, const struct schema_server *server, const char *database)
{
	schema_write_database(out, database);
	buf_add_text(out, ";\n");
	for (size_t i = 0; i < catalog_products_count; i++) {
		if (!schema_has(&catalog_products[i]))
			continue;
		schema_write_table(out, &catalog_products[i], server, database);
		buf_add_text(out, ";\n");
	}
}

static int print_json(struct str sql, const struct ctl *ctl, struct error *err)
{
	struct buf result = { 0 };
	struct json j = json_to(&result);

	json_object_begin(&j);
	json_member_str(&j, "sql", sql);
	json_object_end(&j);
	int status = buf_cstr(&result) ? ctl_print(ctl, buf_str(&result), err) :
	                                 error_set(err, ERROR_NOMEM, "Out of memory for the result");
	buf_free(&result);
	return status;
}

static int print_statements(const struct buf *sql, const struct ctl *ctl, struct error *err)
{
	if (sql->failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for the statements");
	if (ctl->json)
		return print_json(buf_str(sql), ctl, err);
	printf("%.*s", STR_ARGS(buf_str(sql)));
	return 0;
}

int ctl_schema_postgresql(const struct ctl *ctl, struct error *err)
{
	struct buf sql = { 0 };

	for (size_t i = 0; i < postgresql_tables_count; i++)
		buf_addf(&sql, "%s;\n", postgresql_tables[i]);
	int status = print_statements(&sql, ctl, err);
	buf_free(&sql);
	return status;
}

int ctl_schema_clickhouse(const struct ctl *ctl, struct error *err)
{
	const char *version = args_get(ctl->args, "server"), *database = args_get(ctl->args, "database");
	struct schema_server server;
	struct buf sql = { 0 };
	int status;

	if (!schema_server_parse(str_from(version ? version : SERVER_DEFAULT), &server))
		return error_set(err, ERROR_INVALID, "--server: \"%.64s\" is no version of ClickHouse, such as 26.7",
		                 version);
	if (database && !schema_is_name(str_from(database)))
		return error_set(err, ERROR_INVALID,
		                 "--database: \"%.64s\" is not 1 to 64 letters, digits and _, no digit first",
		                 database);
	write_statements(&sql, &server, database ? database : DATABASE_DEFAULT);
	status = print_statements(&sql, ctl, err);
	buf_free(&sql);
	return status;
}
