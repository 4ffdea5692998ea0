# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/admin/account_csv.c src/admin/account_csv.h \
	src/admin/admin.c src/admin/admin.h src/admin/server.h \
	src/admin/args.c src/admin/args.h \
	src/admin/audit.c src/admin/audit.h \
	src/admin/call.c src/admin/call.h \
	src/admin/command.h \
	src/admin/command_account.c \
	src/admin/command_account.h \
	src/admin/command_account_import.c \
	src/admin/command_account_list.c \
	src/admin/command_backup.c \
	src/admin/command_callback.c src/admin/command_clock.c \
	src/admin/command_daemon.c \
	src/admin/command_feed.c \
	src/admin/command_find.c \
	src/admin/command_destination.c \
	src/admin/command_destination_test.c \
	src/admin/command_erase.c \
	src/admin/command_import.c \
	src/admin/command_move.c \
	src/admin/command_operator.c \
	src/admin/command_overview.c \
	src/admin/command_key.c \
	src/admin/command_consumer.c \
	src/admin/command_mapping.c \
	src/admin/command_producer.c \
	src/admin/command_products.c \
	src/admin/command_quarantine.c src/admin/command_quarantine.h \
	src/admin/command_reconcile.c \
	src/admin/command_replay.c \
	src/admin/command_report.c \
	src/admin/command_schedule.c src/admin/command_schema.c \
	src/admin/command_status.c \
	src/admin/command_storage.c \
	src/admin/day_walk.c src/admin/day_walk.h \
	src/admin/command_summary.c src/admin/command_usage.c \
	src/admin/sums_by_account.c src/admin/sums_by_account.h \
	src/admin/command_verify.c \
	src/admin/context.h \
	src/admin/commands.c src/admin/commands.def src/admin/commands.h \
	src/admin/ingest_args.c src/admin/ingest_args.h \
	src/admin/job.c src/admin/job.h \
	src/admin/operator_commands.def \
	src/admin/peer.c \
	src/admin/pick.c src/admin/pick.h \
	src/admin/quarantine_shown.c \
	src/admin/rates.c src/admin/rates.h \
	src/admin/replay_body.c src/admin/replay_body.h \
	src/admin/session.c src/admin/session.h \
	src/admin/session_reply.c \
	src/admin/session_request.c \
	src/admin/socket.c \
	src/admin/specs.c src/admin/specs.h \
	src/admin/status_parts.h \
	src/admin/synopsis.c \
	src/admin/tree.c src/admin/tree.h
