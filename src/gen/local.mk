# SPDX-License-Identifier: ISC
# cdrgen, the generator of sample records: for the quickstart, the tests and the benchmarks; not installed.
noinst_PROGRAMS += cdrgen
cdrgen_SOURCES = \
	src/gen/body.c src/gen/body.h \
	src/gen/gen.c src/gen/gen.h \
	src/gen/main.c \
	src/gen/places.c src/gen/places.h \
	src/gen/plan.c src/gen/plan.h \
	src/gen/random.c src/gen/random.h \
	src/gen/text.c src/gen/text.h \
	src/gen/values.c src/gen/values.h
cdrgen_LDADD = libcdrd.a
