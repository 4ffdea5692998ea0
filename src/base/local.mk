# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/base/account_key.c src/base/account_key.h \
	src/base/algorithms.c src/base/algorithms.h \
	src/base/audit.c src/base/audit.h \
	src/base/buf.c src/base/buf.h \
	src/base/bufferevents.c src/base/bufferevents.h \
	src/base/clock.c src/base/clock.h \
	src/base/config.c src/base/config.h \
	src/base/config_file.c \
	src/base/config_type.h \
	src/base/config_value.c src/base/config_value.h \
	src/base/curl_loop.c src/base/curl_loop.h \
	src/base/decimal.c src/base/decimal.h \
	src/base/directory.c src/base/directory.h \
	src/base/disk.c src/base/disk.h \
	src/base/envelope.c src/base/envelope.h \
	src/base/error.c src/base/error.h \
	src/base/first_line.c src/base/first_line.h \
	src/base/heavy_hitters.c src/base/heavy_hitters.h \
	src/base/histogram.c src/base/histogram.h \
	src/base/host_address.c src/base/host_address.h \
	src/base/id.c src/base/id.h \
	src/base/invariant.c src/base/invariant.h \
	src/base/json.c src/base/json.h \
	src/base/json_reader.c src/base/json_reader.h \
	src/base/key_file.c src/base/key_file.h \
	src/base/lag.c src/base/lag.h \
	src/base/network.c src/base/network.h \
	src/base/prefetch.h \
	src/base/recent.c src/base/recent.h \
	src/base/log.c src/base/log.h \
	src/base/logfile.c src/base/logfile.h \
	src/base/settings.def \
	src/base/shrinking.c src/base/shrinking.h \
	src/base/siphash.c src/base/siphash.h \
	src/base/str.h \
	src/base/task.c src/base/task.h \
	src/base/zone.c src/base/zone.h
