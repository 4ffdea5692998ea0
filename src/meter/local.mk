# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/meter/bucket.h \
	src/meter/charge.c \
	src/meter/guard.c src/meter/guard.h \
	src/meter/limits.c \
	src/meter/logins.c src/meter/logins.h \
	src/meter/meter.c src/meter/meter.h \
	src/meter/meter_private.h \
	src/meter/plans.c src/meter/plans.h \
	src/meter/plans_in_use.c \
	src/meter/statement.c src/meter/statement.h \
	src/meter/tenants.c \
	src/meter/usage.c \
	src/meter/volume.c
