/* SPDX-License-Identifier: ISC */
/*
 * tables.c: see tables.h.
 */
#include "postgresql/tables.h"

const char *const postgresql_tables[] = {
	"CREATE TABLE IF NOT EXISTS cdrd_catalog\n"
	"(\n"
	"\tone boolean PRIMARY KEY DEFAULT true CHECK (one),\n"
	"\tformat bigint NOT NULL,\n"
	"\tidentity text NOT NULL,\n"
	"\tnumber bigint NOT NULL,\n"
	"\tholder text NOT NULL DEFAULT '',\n"
	"\tholder_name text NOT NULL DEFAULT '',\n"
	"\tholder_until timestamptz NOT NULL DEFAULT now()\n"
	")",
	"CREATE TABLE IF NOT EXISTS cdrd_rows\n"
	"(\n"
	"\tdb text NOT NULL,\n"
	"\tkey bytea NOT NULL,\n"
	"\tvalue bytea NOT NULL,\n"
	"\tPRIMARY KEY (db, key)\n"
	")",
	"CREATE TABLE IF NOT EXISTS cdrd_commits\n"
	"(\n"
	"\tnumber bigint PRIMARY KEY,\n"
	"\ttime timestamptz NOT NULL DEFAULT now(),\n"
	"\tid text NOT NULL,\n"
	"\tfront_end text NOT NULL\n"
	")",
	"CREATE TABLE IF NOT EXISTS cdrd_changes\n"
	"(\n"
	"\tnumber bigint NOT NULL,\n"
	"\tplace bigint NOT NULL,\n"
	"\tdb text NOT NULL,\n"
	"\tkey bytea NOT NULL,\n"
	"\tvalue bytea,\n"
	"\tPRIMARY KEY (number, place)\n"
	")",
	"ALTER TABLE cdrd_catalog ADD COLUMN IF NOT EXISTS holder_url text NOT NULL DEFAULT ''",
	"INSERT INTO cdrd_catalog (format, identity, number) VALUES (1, gen_random_uuid()::text, 0) ON CONFLICT DO NOTHING",
};
const size_t postgresql_tables_count = sizeof(postgresql_tables) / sizeof(postgresql_tables[0]);
