# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/store/account_row.c \
	src/store/account_family.c \
	src/store/accounts.c src/store/accounts.h src/store/accounts_private.h \
	src/store/block.c src/store/block_places.c src/store/block.h \
	src/store/block_builder.c src/store/block_builder.h \
	src/store/block_reader.c src/store/block_reader.h \
	src/store/block_skip.c src/store/block_skip.h \
	src/store/catalog_env.h \
	src/store/catalog_rows.c src/store/catalog_rows.h \
	src/store/change.c src/store/change.h \
	src/store/clock_watch.c src/store/clock_watch.h \
	src/store/credentials.c src/store/credentials.h \
	src/store/day.c src/store/day.h \
	src/store/day_list.c src/store/day_list.h \
	src/store/days.c \
	src/store/directory.c src/store/directory.h \
	src/store/env.c src/store/env.h \
	src/store/copying.c src/store/copying.h \
	src/store/count.c src/store/count.h \
	src/store/erased.c src/store/erased.h \
	src/store/number_search.c src/store/number_search.h \
	src/store/erase.c src/store/erase_number.c src/store/erase_runs.c src/store/erase.h src/store/erase_private.h \
	src/store/changes.c src/store/changes_collect.c src/store/changes_fetch.c src/store/changes.h src/store/changes_private.h \
	src/store/find.c \
	src/store/health.c src/store/health.h \
	src/store/hot.c src/store/hot.h \
	src/store/id_filter.c src/store/id_filter.h \
	src/store/ids.c src/store/ids.h \
	src/store/lines.c src/store/lines.h \
	src/store/map_guard.c src/store/map_guard.h \
	src/store/mirror.c src/store/mirror.h \
	src/store/moves.c src/store/moves.h \
	src/store/place.h \
	src/store/producers.c \
	src/store/purge.c src/store/purge.h \
	src/store/put.c \
	src/store/put.c src/store/put_find.c src/store/put_private.h \
	src/store/quarantine.c src/store/quarantine.h \
	src/store/repack.c src/store/repack.h \
	src/store/scan.c src/store/scan_partition.c src/store/scan.h src/store/scan_private.h \
	src/store/seq_ranges.c src/store/seq_ranges.h \
	src/store/seal.c src/store/seal_gather.c src/store/seal_merge.c src/store/seal_store.c src/store/seal.h src/store/seal_private.h \
	src/store/sealed.c src/store/sealed.h \
	src/store/stats.c \
	src/store/sums.c src/store/sums.h \
	src/store/store.c src/store/store.h src/store/store_private.h \
	src/store/verify.c src/store/verify.h \
	src/store/value.c src/store/value.h \
	src/store/versions.c src/store/versions.h
