# SPDX-License-Identifier: ISC
# The benchmark's programs; built by bench/run, for they need libraries that cdrd does not (make bench/load).
EXTRA_PROGRAMS += bench/load bench/sqlite
bench_load_SOURCES = bench/load.c bench/client.c bench/client.h
bench_sqlite_SOURCES = bench/sqlite.c bench/client.c bench/client.h
bench_sqlite_LDADD = -lsqlite3
EXTRA_DIST += bench/README.md bench/run bench/lib.sh bench/samples.sh bench/cdrd.sh bench/sqlite.sh bench/postgres.sh \
	bench/peers.sh bench/sync.sh bench/reports.sh bench/busy.sh bench/fair.sh bench/fair.py bench/store.sh bench/growth.sh bench/builds.sh \
	bench/accounts.sh bench/mapping.sh bench/mapping.py bench/feeds.sh bench/feeds.py bench/summary.sh bench/summary.py bench/peers/summary.mjs bench/parquet.sh bench/reconcile.py bench/reconcile.sh bench/cluster.sh bench/cluster.py bench/soak.sh bench/soak.py bench/peers/parquet.mjs \
	bench/api.py bench/front_ends.py bench/reports.py bench/busy.py bench/peers/package.json bench/peers/package-lock.json \
	bench/peers/.npmrc bench/peers/measure.mjs bench/peers/duckdb.mjs bench/peers/clickhouse.mjs
CLEANFILES += bench/load bench/sqlite

# Which JSON parser reads records fastest. Jansson and json-c export functions of the same names: what both have must
# come from Jansson, for json_parsers_json_c.c uses none of those; so it is linked first.
EXTRA_PROGRAMS += bench/json_parsers
bench_json_parsers_SOURCES = bench/json_parsers.c bench/json_parsers.h bench/json_parsers_jansson.c \
	bench/json_parsers_json_c.c
bench_json_parsers_LDADD = libcdrd.a -ljansson -ljson-c
CLEANFILES += bench/json_parsers
.PHONY: bench-json
bench-json: bench/json_parsers cdrgen
	./cdrgen --product SMS --account ABCD1234 --count 200000 | bench/json_parsers
