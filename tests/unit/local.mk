# The unit tests, one program: a suite is a row in suites.def and a line here.
if HAVE_CHECK
check_PROGRAMS += tests/unit/run
TESTS += tests/unit/run
endif
tests_unit_run_SOURCES = tests/unit/run.c tests/unit/suites.def
tests_unit_run_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_run_LDADD = libcdrd.a $(CHECK_LIBS)

tests_unit_run_SOURCES += tests/unit/test_buf.c
tests_unit_run_SOURCES += tests/unit/test_clock.c
tests_unit_run_SOURCES += tests/unit/test_decimal.c
tests_unit_run_SOURCES += tests/unit/test_id.c
tests_unit_run_SOURCES += tests/unit/test_json.c
tests_unit_run_SOURCES += tests/unit/test_parse.c
tests_unit_run_SOURCES += tests/unit/test_log.c
tests_unit_run_SOURCES += tests/unit/test_config.c
tests_unit_run_SOURCES += tests/unit/test_catalog.c
tests_unit_run_SOURCES += tests/unit/test_record.c
tests_unit_run_SOURCES += tests/unit/test_params.c
tests_unit_run_SOURCES += tests/unit/test_cursor.c
tests_unit_run_SOURCES += tests/unit/test_query.c
tests_unit_run_SOURCES += tests/unit/test_accounts.c
tests_unit_run_SOURCES += tests/unit/store_fixture.h
tests_unit_run_SOURCES += tests/unit/test_quarantine.c
tests_unit_run_SOURCES += tests/unit/test_ingest.c
tests_unit_run_SOURCES += tests/unit/report_unpack.h
tests_unit_run_SOURCES += tests/unit/test_archive.c
tests_unit_run_SOURCES += tests/unit/test_maker.c
tests_unit_run_SOURCES += tests/unit/test_http_parser.c
tests_unit_run_SOURCES += tests/unit/test_http_body.c
tests_unit_run_SOURCES += tests/unit/test_histogram.c
tests_unit_run_SOURCES += tests/unit/test_lag.c
tests_unit_run_SOURCES += tests/unit/test_callback.c
tests_unit_run_SOURCES += tests/unit/test_callback_address.c
tests_unit_run_SOURCES += tests/unit/test_admin_args.c
tests_unit_run_SOURCES += tests/unit/test_logfile.c
tests_unit_run_SOURCES += tests/unit/test_metrics.c
tests_unit_run_SOURCES += tests/unit/test_report_table.c
tests_unit_run_SOURCES += tests/unit/test_report_queue.c
tests_unit_run_SOURCES += tests/unit/test_report_body.c
tests_unit_run_SOURCES += tests/unit/test_meter_plans.c
tests_unit_run_SOURCES += tests/unit/test_meter.c
tests_unit_run_SOURCES += tests/unit/test_changes.c
tests_unit_run_SOURCES += tests/unit/test_summary.c
