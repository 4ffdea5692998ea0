# SPDX-License-Identifier: ISC
# cdrgen, the generator of sample records: for the quickstart, the tests and the benchmarks; not installed.
noinst_PROGRAMS += cdrgen
cdrgen_SOURCES = \
	tools/gen/accounts.c tools/gen/accounts.h \
	tools/gen/body.c tools/gen/body.h \
	tools/gen/gen.c tools/gen/gen.h \
	tools/gen/main.c \
	tools/gen/places.c tools/gen/places.h \
	tools/gen/plan.c tools/gen/plan.h \
	tools/gen/random.c tools/gen/random.h \
	tools/gen/text.c tools/gen/text.h \
	tools/gen/values.c tools/gen/values.h
cdrgen_LDADD = libcdrd.a
