# SPDX-License-Identifier: ISC
# The unit tests, one program: a suite is a row in suites.def and a line here.
if HAVE_CHECK
check_PROGRAMS += tests/unit/run
TESTS += tests/unit/run
endif
tests_unit_run_SOURCES = tests/unit/run.c tests/unit/suites.def
tests_unit_run_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JSONC_CFLAGS)
# Encoders that test_read_back.c can have make mistakes.
tests_unit_run_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=deflate_add -Wl,--wrap=deflate_add_stored \
	-Wl,--wrap=ZSTD_compressCCtx -Wl,--wrap=block_places_write
tests_unit_run_LDADD = libcdrd.a $(CHECK_LIBS) $(JSONC_LIBS)

tests_unit_run_SOURCES += tests/unit/test_buf.c
tests_unit_run_SOURCES += tests/unit/test_clock.c
tests_unit_run_SOURCES += tests/unit/test_decimal.c
tests_unit_run_SOURCES += tests/unit/test_envelope.c
tests_unit_run_SOURCES += tests/unit/test_id.c
tests_unit_run_SOURCES += tests/unit/test_json.c
tests_unit_run_SOURCES += tests/unit/json_oracle.c tests/unit/json_oracle.h
tests_unit_run_SOURCES += tests/unit/test_json_reader.c
tests_unit_run_SOURCES += tests/unit/test_parse.c
tests_unit_run_SOURCES += tests/unit/test_mapping.c
tests_unit_run_SOURCES += tests/unit/test_log.c
tests_unit_run_SOURCES += tests/unit/test_config.c
tests_unit_run_SOURCES += tests/unit/test_catalog.c
tests_unit_run_SOURCES += tests/unit/test_record.c
tests_unit_run_SOURCES += tests/unit/test_params.c
tests_unit_run_SOURCES += tests/unit/test_cursor.c
tests_unit_run_SOURCES += tests/unit/test_query.c
tests_unit_run_SOURCES += tests/unit/test_account_import.c
tests_unit_run_SOURCES += tests/unit/test_accounts.c
tests_unit_run_SOURCES += tests/unit/store_fixture.h
tests_unit_run_SOURCES += tests/unit/scan_once.h
tests_unit_run_SOURCES += tests/unit/expect.h tests/unit/pick.h
tests_unit_run_SOURCES += tests/unit/store_sample.c tests/unit/store_sample.h
tests_unit_run_SOURCES += tests/unit/day_fixture.h
tests_unit_run_SOURCES += tests/unit/test_deflate.c
tests_unit_run_SOURCES += tests/unit/test_lines.c
tests_unit_run_SOURCES += tests/unit/test_block.c
tests_unit_run_SOURCES += tests/unit/test_fold.c tests/unit/groups_check.h
tests_unit_run_SOURCES += tests/unit/test_read_back.c
tests_unit_run_SOURCES += tests/unit/test_ids.c
tests_unit_run_SOURCES += tests/unit/test_ids_before.c
tests_unit_run_SOURCES += tests/unit/store_model.c tests/unit/store_model.h
tests_unit_run_SOURCES += tests/unit/store_check.c tests/unit/store_check.h
tests_unit_run_SOURCES += tests/unit/memory_engine.c tests/unit/test_engine.h
tests_unit_run_SOURCES += tests/unit/test_store.c
tests_unit_run_SOURCES += tests/unit/test_bundles.c
tests_unit_run_SOURCES += tests/unit/test_hot_rows.c tests/unit/old_hot_rows.h tests/unit/hot_check.h
tests_unit_run_SOURCES += tests/unit/test_store_model.c
tests_unit_run_SOURCES += tests/unit/test_encoding.c
tests_unit_run_SOURCES += tests/unit/test_mend.c
tests_unit_run_SOURCES += tests/unit/test_quarantine.c
tests_unit_run_SOURCES += tests/unit/late_engine.c tests/unit/late_engine.h
tests_unit_run_SOURCES += tests/unit/test_ingest.c
tests_unit_run_SOURCES += tests/unit/report_unpack.h
tests_unit_run_SOURCES += tests/unit/test_archive.c
tests_unit_run_SOURCES += tests/unit/test_maker.c
tests_unit_run_SOURCES += tests/unit/test_http_parser.c
tests_unit_run_SOURCES += tests/unit/test_http_proxy.c
tests_unit_run_SOURCES += tests/unit/test_http_messages.c
tests_unit_run_SOURCES += tests/unit/test_http_body.c
tests_unit_run_SOURCES += tests/unit/test_http_server.c
tests_unit_run_SOURCES += tests/unit/test_heavy_hitters.c
tests_unit_run_SOURCES += tests/unit/test_histogram.c
tests_unit_run_SOURCES += tests/unit/test_lag.c
tests_unit_run_SOURCES += tests/unit/test_recent.c
tests_unit_run_SOURCES += tests/unit/test_task.c
tests_unit_run_SOURCES += tests/unit/test_callback.c
tests_unit_run_SOURCES += tests/unit/test_callback_address.c
tests_unit_run_SOURCES += tests/unit/test_admin_args.c
tests_unit_run_SOURCES += tests/unit/test_logfile.c
tests_unit_run_SOURCES += tests/unit/test_metrics.c
tests_unit_run_SOURCES += tests/unit/test_report_table.c
tests_unit_run_SOURCES += tests/unit/test_report_queue.c
tests_unit_run_SOURCES += tests/unit/test_report_body.c
tests_unit_run_SOURCES += tests/unit/test_schedule.c
tests_unit_run_SOURCES += tests/unit/test_plans.c
tests_unit_run_SOURCES += tests/unit/test_billing.c
tests_unit_run_SOURCES += tests/unit/test_changes.c
tests_unit_run_SOURCES += tests/unit/test_summary.c
tests_unit_run_SOURCES += tests/unit/test_backup.c
tests_unit_run_SOURCES += tests/unit/test_clock_watch.c
tests_unit_run_SOURCES += tests/unit/test_erased.c
tests_unit_run_SOURCES += tests/unit/test_report_search.c
