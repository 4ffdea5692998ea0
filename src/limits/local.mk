# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/limits/bucket.h \
	src/limits/load_shedding.c src/limits/load_shedding.h \
	src/limits/limits.c src/limits/limits.h \
	src/limits/logins.c src/limits/logins.h
