# SPDX-License-Identifier: ISC
# The daemon: daemon/ puts the modules together, and is what belongs to the process as a whole.
sbin_PROGRAMS += cdrd
cdrd_SOURCES = src/main.c
cdrd_LDADD = libcdrd.a
libcdrd_a_SOURCES += \
	src/daemon/asked_numbers.c src/daemon/asked_numbers.h \
	src/daemon/catalog_open.c src/daemon/catalog_open.h \
	src/daemon/daemon.h \
	src/daemon/inherited.c src/daemon/inherited.h \
	src/daemon/listening.c \
	src/daemon/modules.c \
	src/daemon/notify.c src/daemon/notify.h \
	src/daemon/options.c src/daemon/options.h \
	src/daemon/options_check.c src/daemon/options_check.h \
	src/daemon/relay.c src/daemon/relay.h \
	src/daemon/retention.c src/daemon/retention.h \
	src/daemon/signals.c \
	src/daemon/store_opening.c src/daemon/store_opening.h \
	src/daemon/taking_in.c src/daemon/taking_in.h
