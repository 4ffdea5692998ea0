# SPDX-License-Identifier: ISC
include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/faults/local.mk
# These need a running cdrd and more than a compiler: ./runtests installs that and runs them.
EXTRA_DIST += tests/blackbox tests/cluster tests/sandbox tests/sdk tests/console
check_PROGRAMS += tests/blackbox/callback_put
tests_blackbox_callback_put_SOURCES = tests/blackbox/callback_put.c
tests_blackbox_callback_put_LDADD = libcdrd.a
if WITH_KAFKA
check_PROGRAMS += tests/blackbox/kafka_mock
tests_blackbox_kafka_mock_SOURCES = tests/blackbox/kafka_mock.c
endif
