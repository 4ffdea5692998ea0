# SPDX-License-Identifier: ISC
# Fuzzers. Each is a plain program that replays its corpus, and what a few mutations make of it, in `make check`.
# With `configure --enable-fuzzing CC=clang` (or CC=afl-clang-fast) the compiler's own fuzzing engine drives them.
if FUZZING
FUZZ_DRIVER =
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_DRIVER = tests/fuzz/replay.c
FUZZ_LINK =
TESTS += $(FUZZERS)
endif
FUZZERS =
check_PROGRAMS += $(FUZZERS)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/replay.c tests/fuzz/campaign

# One block a fuzzer: its corpus is corpus/NAME.
FUZZERS += tests/fuzz/fuzz_http
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_http_LDADD = libcdrd.a
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_query
tests_fuzz_fuzz_query_SOURCES = tests/fuzz/fuzz_query.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_query_LDADD = libcdrd.a
tests_fuzz_fuzz_query_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_parse
tests_fuzz_fuzz_parse_SOURCES = tests/fuzz/fuzz_parse.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_parse_LDADD = libcdrd.a
tests_fuzz_fuzz_parse_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_admin
tests_fuzz_fuzz_admin_SOURCES = tests/fuzz/fuzz_admin.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_admin_LDADD = libcdrd.a
tests_fuzz_fuzz_admin_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_report_body
tests_fuzz_fuzz_report_body_SOURCES = tests/fuzz/fuzz_report_body.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_report_body_LDADD = libcdrd.a
tests_fuzz_fuzz_report_body_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

if HAVE_YAJL
FUZZERS += tests/fuzz/fuzz_json
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/json_yajl.c tests/fuzz/json_yajl.h $(FUZZ_DRIVER)
tests_fuzz_fuzz_json_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(YAJL_CFLAGS)
tests_fuzz_fuzz_json_LDADD = libcdrd.a $(JSONC_LIBS) $(YAJL_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
endif

FUZZERS += tests/fuzz/fuzz_url
tests_fuzz_fuzz_url_SOURCES = tests/fuzz/fuzz_url.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_url_LDADD = libcdrd.a
tests_fuzz_fuzz_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

if HAVE_JSONC
FUZZERS += tests/fuzz/fuzz_record_json
tests_fuzz_fuzz_record_json_SOURCES = tests/fuzz/fuzz_record_json.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_record_json_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS)
tests_fuzz_fuzz_record_json_LDADD = libcdrd.a $(JSONC_LIBS)
tests_fuzz_fuzz_record_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
endif

FUZZERS += tests/fuzz/fuzz_record_msgpack
tests_fuzz_fuzz_record_msgpack_SOURCES = tests/fuzz/fuzz_record_msgpack.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_record_msgpack_LDADD = libcdrd.a
tests_fuzz_fuzz_record_msgpack_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_deflate
tests_fuzz_fuzz_deflate_SOURCES = tests/fuzz/fuzz_deflate.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_deflate_LDADD = libcdrd.a
tests_fuzz_fuzz_deflate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_mend
tests_fuzz_fuzz_mend_SOURCES = tests/fuzz/fuzz_mend.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_mend_LDADD = libcdrd.a
tests_fuzz_fuzz_mend_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_encoding
tests_fuzz_fuzz_encoding_SOURCES = tests/fuzz/fuzz_encoding.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_encoding_LDADD = libcdrd.a
tests_fuzz_fuzz_encoding_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_mapping
tests_fuzz_fuzz_mapping_SOURCES = tests/fuzz/fuzz_mapping.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_mapping_LDADD = libcdrd.a
tests_fuzz_fuzz_mapping_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_proxy
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_proxy_LDADD = libcdrd.a
tests_fuzz_fuzz_proxy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_block
tests_fuzz_fuzz_block_SOURCES = tests/fuzz/fuzz_block.c tests/unit/store_sample.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_block_LDADD = libcdrd.a
tests_fuzz_fuzz_block_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_bundle
tests_fuzz_fuzz_bundle_SOURCES = tests/fuzz/fuzz_bundle.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_bundle_LDADD = libcdrd.a
tests_fuzz_fuzz_bundle_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_config_LDADD = libcdrd.a
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_cron
tests_fuzz_fuzz_cron_SOURCES = tests/fuzz/fuzz_cron.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_cron_LDADD = libcdrd.a
tests_fuzz_fuzz_cron_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_destination
tests_fuzz_fuzz_destination_SOURCES = tests/fuzz/fuzz_destination.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_destination_LDADD = libcdrd.a
tests_fuzz_fuzz_destination_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_parquet
tests_fuzz_fuzz_parquet_SOURCES = tests/fuzz/fuzz_parquet.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_parquet_LDADD = libcdrd.a
tests_fuzz_fuzz_parquet_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_plans
tests_fuzz_fuzz_plans_SOURCES = tests/fuzz/fuzz_plans.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_plans_LDADD = libcdrd.a
tests_fuzz_fuzz_plans_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_row
tests_fuzz_fuzz_row_SOURCES = tests/fuzz/fuzz_row.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_row_LDADD = libcdrd.a
tests_fuzz_fuzz_row_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_token
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_token_LDADD = libcdrd.a
tests_fuzz_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_network
tests_fuzz_fuzz_network_SOURCES = tests/fuzz/fuzz_network.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_network_LDADD = libcdrd.a
tests_fuzz_fuzz_network_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_number
tests_fuzz_fuzz_number_SOURCES = tests/fuzz/fuzz_number.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_number_LDADD = libcdrd.a
tests_fuzz_fuzz_number_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_inflate
tests_fuzz_fuzz_inflate_SOURCES = tests/fuzz/fuzz_inflate.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_inflate_LDADD = libcdrd.a
tests_fuzz_fuzz_inflate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_form
tests_fuzz_fuzz_form_SOURCES = tests/fuzz/fuzz_form.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_form_LDADD = libcdrd.a
tests_fuzz_fuzz_form_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_multipart
tests_fuzz_fuzz_multipart_SOURCES = tests/fuzz/fuzz_multipart.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_multipart_LDADD = libcdrd.a
tests_fuzz_fuzz_multipart_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_row_binary
tests_fuzz_fuzz_row_binary_SOURCES = tests/fuzz/fuzz_row_binary.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_row_binary_LDADD = libcdrd.a
tests_fuzz_fuzz_row_binary_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

FUZZERS += tests/fuzz/fuzz_archive
tests_fuzz_fuzz_archive_SOURCES = tests/fuzz/fuzz_archive.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_archive_LDADD = libcdrd.a
tests_fuzz_fuzz_archive_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
