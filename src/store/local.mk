# SPDX-License-Identifier: ISC
# Headers in store/ itself are for everybody; those of its rooms are for store/ alone.
libcdrd_a_SOURCES += \
	src/meta/account_family.c \
	src/meta/account_row.c \
	src/meta/accounts.c src/meta/accounts.h src/meta/account_row.h \
	src/meta/meta.h \
	src/meta/rows.c src/meta/rows.h \
	src/meta/change.c src/meta/change.h \
	src/store/changes.h \
	src/store/clock_watch.h \
	src/store/hot_backup.h \
	src/store/aggregate.h \
	src/meta/credentials.c src/meta/credentials.h \
	src/store/engine.c src/store/engine.h \
	src/store/erase.h \
	src/store/erased.h \
	src/store/health.h \
	src/store/number_search.h \
	src/meta/producers.c \
	src/store/purge.h \
	src/meta/quarantine.c src/meta/quarantine.h \
	src/store/scan.h \
	src/store/scan_at.h \
	src/store/stats.c \
	src/store/days_engine.c src/store/days_store.h \
	src/store/day_count.c src/store/day_count.h \
	src/store/store.h \
	src/store/verify.c src/store/verify.h src/store/versions.h \
	src/store/aggregates/aggregate.c \
	src/store/aggregates/aggregate_days.c src/store/aggregates/aggregate_days.h \
	src/store/aggregates/aggregate_part.c \
	src/store/aggregates/fold.c src/store/aggregates/fold.h \
	src/store/aggregates/fold_count.c src/store/aggregates/fold_private.h src/store/aggregates/fold_results.c \
	src/store/aggregates/groups.c \
	src/store/takeover.h \
	src/store/takeover/takeover.c \
	src/store/takeover/takeover_check.c \
	src/store/takeover/takeover_compare.c \
	src/store/takeover/takeover_copy.c \
	src/store/takeover/takeover_place.c \
	src/store/takeover/takeover_private.h \
	src/store/takeover/takeover_round.c \
	src/store/takeover/takeover_sums.c \
	src/store/takeover/takeover_walk.c \
	src/store/cluster.h \
	src/store/cluster/cluster_aggregate.c \
	src/store/cluster/cluster_apply.c \
	src/store/cluster/cluster_changes.c \
	src/store/cluster/cluster_check.c \
	src/store/cluster/cluster_chunk.c src/store/cluster/cluster_chunk.h \
	src/store/cluster/cluster_commit.c \
	src/store/cluster/cluster_engine.c \
	src/store/cluster/cluster_erase.c src/store/cluster/cluster_erase.h src/store/cluster/cluster_eraser.h \
	src/store/cluster/cluster_find.c \
	src/store/cluster/cluster_give.c \
	src/store/cluster/cluster_known.c src/store/cluster/cluster_known.h \
	src/store/cluster/cluster_lent.c \
	src/store/cluster/cluster_lookup.c \
	src/store/cluster/cluster_mend.c src/store/cluster/cluster_mend.h \
	src/store/cluster/cluster_migrate.c \
	src/store/cluster/cluster_doubts.c \
	src/store/cluster/cluster_numbers.c \
	src/store/cluster/cluster_private.h \
	src/store/cluster/cluster_purge.c src/store/cluster/cluster_purge.h \
	src/store/cluster/cluster_put.c \
	src/store/cluster/cluster_retention.c \
	src/store/cluster/cluster_row.c \
	src/store/cluster/cluster_scan.c \
	src/store/cluster/cluster_search.c src/store/cluster/cluster_search.h \
	src/store/cluster/cluster_sql.c src/store/cluster/cluster_sql.h \
	src/store/cluster/numbers_text.c \
	src/store/cluster/spans.c src/store/cluster/spans.h \
	src/store/blocks/block.c src/store/blocks/block.h \
	src/store/blocks/block_builder.c src/store/blocks/block_builder.h \
	src/store/blocks/bits.h \
	src/store/blocks/bundle.c src/store/blocks/bundle.h \
	src/store/blocks/block_positions.c \
	src/store/blocks/block_columns.c src/store/blocks/block_columns.h \
	src/store/blocks/block_columns_write.c \
	src/store/blocks/block_reader.c src/store/blocks/block_reader.h \
	src/store/blocks/skip_index.c src/store/blocks/skip_index.h \
	src/store/blocks/block_index.c src/store/blocks/block_index.h \
	src/store/blocks/inflate_segment.c src/store/blocks/inflate_segment.h \
	src/store/blocks/lines.c src/store/blocks/lines.h \
	src/store/blocks/position.h \
	src/store/blocks/read_back.c src/store/blocks/read_back.h \
	src/store/blocks/row_cache.c src/store/blocks/row_cache.h \
	src/store/changes/changes.c src/store/changes/changes_private.h \
	src/store/changes/changes_note.h \
	src/store/changes/changes_collect.c \
	src/store/changes/changes_fetch.c \
	src/store/copying/hot_backup.c \
	src/store/copying/hot_backup_check.c \
	src/store/copying/mirror.c src/store/copying/mirror.h \
	src/store/days/clock_watch.c \
	src/store/days/day.c src/store/days/day.h \
	src/store/days/day_blocks.c src/store/days/day_blocks.h \
	src/store/days/day_list.c src/store/days/day_list.h \
	src/store/days/days.c \
	src/store/days/days_rest.c \
	src/store/days/health.c \
	src/store/days/hot.c src/store/days/hot.h \
	src/store/days/hot_addresses.c src/store/days/hot_addresses.h \
	src/store/days/hot_load.c \
	src/store/days/hot_order.c src/store/days/hot_order.h \
	src/store/days/hot_rows.c src/store/days/hot_rows.h \
	src/store/days/hot_sealed.c src/store/days/hot_sealed.h \
	src/store/days/seq_ranges.c src/store/days/seq_ranges.h \
	src/store/erasing/erase.c src/store/erasing/erase_private.h \
	src/store/erasing/erase_number.c \
	src/store/erasing/erase_runs.c \
	src/store/erasing/erased.c \
	src/store/erasing/number_search.c \
	src/store/erasing/purge.c \
	src/store/ids/bloom_filter.c src/store/ids/bloom_filter.h \
	src/store/ids/ids.c src/store/ids/ids.h \
	src/store/ids/ids_store.c \
	src/store/putting/move_finish.c \
	src/store/putting/moves_private.h \
	src/store/putting/moves.c src/store/putting/moves.h \
	src/store/putting/put.c src/store/putting/put_private.h \
	src/store/putting/put_find.c \
	src/store/putting/versions.c \
	src/store/scans/find.c \
	src/store/scans/scan.c src/store/scans/scan_private.h \
	src/store/scans/scan_lines.c \
	src/store/scans/scan_partition.c \
	src/store/scans/scan_share.c \
	src/store/sealing/repack.c src/store/sealing/repack.h \
	src/store/sealing/seal.c src/store/sealing/seal.h src/store/sealing/seal_private.h \
	src/store/sealing/seal_due.c \
	src/store/sealing/seal_gather.c \
	src/store/sealing/seal_merge.c \
	src/store/sealing/seal_store.c \
	src/store/sealing/upgrade.c src/store/sealing/upgrade.h \
	src/store/sealing/sealed.c src/store/sealing/sealed.h
