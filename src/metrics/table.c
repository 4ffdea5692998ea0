/* SPDX-License-Identifier: ISC */
/*
 * table.c: every metric, one row per sample. See table.h.
 */
#include <config.h>

#include "metrics/table.h"

#include <stddef.h>

#include "metrics/by_column.h"
#include "metrics/by_endpoint.h"
#include "metrics/by_source.h"

#define AT(place) offsetof(struct snapshot, place)
#define ROW_COUNTER(name, help, labels, at) \
	{ \
		TEXT_COUNTER, name, help, labels, TABLE_UINT, AT(at), NULL \
	}
#define ROW_COUNTER_SECONDS(name, help, labels, at) \
	{ \
		TEXT_COUNTER, name, help, labels, TABLE_SECONDS, AT(at), NULL \
	}
#define ROW_GAUGE(name, help, labels, at) \
	{ \
		TEXT_GAUGE, name, help, labels, TABLE_UINT, AT(at), NULL \
	}
#define ROW_GAUGE_SECONDS(name, help, labels, at) \
	{ \
		TEXT_GAUGE, name, help, labels, TABLE_SECONDS, AT(at), NULL \
	}
#define ROW_GAUGE_RATIO(name, help, labels, at) \
	{ \
		TEXT_GAUGE, name, help, labels, TABLE_RATIO, AT(at), NULL \
	}
#define ROW_HISTOGRAM(name, help, labels, at) \
	{ \
		TEXT_HISTOGRAM, name, help, labels, TABLE_HISTOGRAM, AT(at), NULL \
	}
/* Expanded once more, so that a name with its help may be a macro. */
#define COUNTER(...) ROW_COUNTER(__VA_ARGS__)
#define COUNTER_SECONDS(...) ROW_COUNTER_SECONDS(__VA_ARGS__)
#define GAUGE(...) ROW_GAUGE(__VA_ARGS__)
#define GAUGE_SECONDS(...) ROW_GAUGE_SECONDS(__VA_ARGS__)
#define GAUGE_RATIO(...) ROW_GAUGE_RATIO(__VA_ARGS__)
#define HISTOGRAM(...) ROW_HISTOGRAM(__VA_ARGS__)
#define WRITTEN_BY(type, name, help, write) \
	{ \
		type, name, help, "", TABLE_UINT, 0, write \
	}

/* Samples by source, of a field of the source's status. */
#define BY_SOURCE(type, name, help, value, status, field, write) \
	{ \
		type, name, help, "", value, offsetof(status, field), write \
	}
#define BY_FEED(type, name, help, value, field) \
	BY_SOURCE(type, name, help, value, struct feed_status, field, by_source_write_feeds)
#define BY_CONSUMER(type, name, help, value, field) \
	BY_SOURCE(type, name, help, value, struct consumer_status, field, by_source_write_consumers)

#define RECORDS "cdrd_ingest_records_total", "Records that ingest has taken or rejected, committed ones only."
#define UNREPLAYED \
	"cdrd_quarantine_lost_total", \
		"Rejected records that went after quarantine_keep, or for quarantine_max, unreplayed."
#define REPORTS "cdrd_reports", "Reports that have not ended, by state."
#define REPORTS_ENDED "cdrd_reports_ended_total", "Reports that have ended, by state."
#define ERASED \
	"cdrd_ingest_erased_total", \
		"Records that came with a number that was erased before: stored without it, or rejected and not kept."
#define CALLBACKS "cdrd_callbacks", "Callbacks that are not delivered, by state; failed ones were given up."
#define RECONCILIATIONS "cdrd_reconciliations", "Reconciliations that have not ended, by state."
#define RECONCILIATIONS_ENDED "cdrd_reconciliations_ended_total", "Reconciliations that have ended, by state."
#define DELIVERIES \
	"cdrd_deliveries", "Deliveries to destinations that have not arrived, by state; failed ones were given up."
#define ENVIRONMENTS "cdrd_lmdb_environments", "LMDB environments that are open."
#define MAP_BYTES "cdrd_lmdb_map_bytes", "Most bytes that the LMDB environments may grow to, added up."
#define USED_BYTES "cdrd_lmdb_used_bytes", "Bytes up to the last page that the LMDB environments use, added up."
#define USED_RATIO "cdrd_lmdb_fullest_used_ratio", "Share of its map that the fullest LMDB environment uses."
#define READERS "cdrd_lmdb_readers", "LMDB reader slots that have been in use at once, added up; an open day keeps one."
#define SLOTS "cdrd_lmdb_reader_slots", "LMDB reader slots that there are, added up."
#define BROKEN \
	"cdrd_lmdb_broken", "LMDB environments that do not work since a write failed, until they are opened anew."
#define CATALOG "environment=\"catalog\""
#define DAYS "environment=\"days\""

const struct table_row table_rows[] = {
	/* the process */
	GAUGE("cdrd_build_info", "The build; always 1.", "version=\"" PACKAGE_VERSION "\"", always_one),
	GAUGE_SECONDS("process_start_time_seconds", "When the daemon started, in seconds since the epoch.", "",
	              started_us),
	COUNTER_SECONDS("process_cpu_seconds_total", "CPU time, user and system.", "", cpu_us),
	GAUGE("process_resident_memory_bytes", "Resident memory, pages of mapped files included.", "", resident_bytes),
	GAUGE("process_virtual_memory_bytes", "Address space; LMDB's maps are most of it.", "", virtual_bytes),
	HISTOGRAM("cdrd_loop_lag_seconds", "How late the loop came to a timer that is due every 5 ms.", "", lag),
	GAUGE_SECONDS("cdrd_loop_lag_recent_max_seconds", "Greatest lateness of the last 5 to 10 seconds.", "",
	              lag_recent_max_us),
	/* HTTP */
	GAUGE("cdrd_http_connections", "Open connections of the public listener.", "", http.connections),
	COUNTER("cdrd_tls_handshakes_total", "TLS handshakes of the public listener that were completed.", "",
	        http.tls_handshakes),
	COUNTER("cdrd_tls_handshake_failures_total", "TLS handshakes of the public listener that failed.", "",
	        http.tls_failures),
	GAUGE("cdrd_tls_certificate_expiry_timestamp_seconds",
	      "When the first of the certificates expires, in seconds since the epoch; 0 without TLS.", "",
	      tls_expires),
	COUNTER("cdrd_http_requests_begun_total", "Requests whose head has arrived.", "", http.requests),
	WRITTEN_BY(TEXT_COUNTER, "cdrd_http_requests_total",
	           "Requests answered, by path of the endpoint, method and status; 499 for clients that did not wait.",
	           by_endpoint_write_requests),
	WRITTEN_BY(TEXT_HISTOGRAM, "cdrd_http_request_duration_seconds",
	           "Time from the end of a request's head to its answer, by path of the endpoint and method.",
	           by_endpoint_write_durations),
	WRITTEN_BY(TEXT_COUNTER, "cdrd_http_response_bytes_total",
	           "Bytes of answers' bodies, by path of the endpoint and method.", by_endpoint_write_bytes),
	COUNTER("cdrd_access_log_dropped_lines_total", "Lines that the access log had to drop.", "", access_dropped),
	COUNTER("cdrd_audit_log_failures_total", "Lines that could not be written to the audit log's file.", "",
	        audit_failures),
	/* records in */
	COUNTER(RECORDS, "result=\"accepted\"", ingest.total.accepted),
	COUNTER(RECORDS, "result=\"updated\"", ingest.total.updated),
	COUNTER(RECORDS, "result=\"duplicate\"", ingest.total.duplicates),
	COUNTER(RECORDS, "result=\"outdated\"", ingest.total.outdated),
	COUNTER(RECORDS, "result=\"rejected\"", ingest.total.rejected),
	COUNTER("cdrd_ingest_bytes_total", "Bytes of ingest bodies, decompressed.", "", ingest.bytes),
	COUNTER("cdrd_ingest_batches_total", "Ingest bodies, imports and replays that were begun.", "", ingest.batches),
	COUNTER("cdrd_ingest_failures_total", "Commits, and puts before them, that failed with all that shared them.",
	        "", ingest.commits_failed),
	HISTOGRAM("cdrd_ingest_commit_duration_seconds", "What a group commit of ingest took, its fsyncs included.", "",
	          ingest.commit_duration),
	WRITTEN_BY(TEXT_COUNTER, "cdrd_ingest_unknown_values_total",
	           "Values of records that are not among the known ones of their column, by product and column.",
	           by_column_write_unknown),
	GAUGE("cdrd_quarantine_records", "Rejected records that are kept.", "", quarantine.entries),
	GAUGE("cdrd_quarantine_bytes", "Bytes of the pages that hold rejected records.", "", quarantine.bytes),
	GAUGE_SECONDS("cdrd_quarantine_oldest_age_seconds",
	              "Age of the oldest rejected record that is kept, 0 if there is none.", "", quarantine_age_us),
	COUNTER(UNREPLAYED, "reason=\"expired\"", ingest.quarantine_expired),
	COUNTER(UNREPLAYED, "reason=\"pushed_out\"", ingest.quarantine_pushed_out),
	COUNTER(UNREPLAYED, "reason=\"not_kept\"", ingest.quarantine_unkept),
	/* files and messages */
	BY_FEED(TEXT_GAUGE, "cdrd_feed_files", "Files of a spool that were seen and are not done.", TABLE_UINT,
	        waiting),
	BY_FEED(TEXT_GAUGE, "cdrd_feed_unread_bytes", "Bytes of the file that a spool or tail is at, not yet on disk.",
	        TABLE_UINT, unread),
	BY_FEED(TEXT_GAUGE, "cdrd_feed_problem",
	        "1 while a spool or tail does not work; cdrctl feed list has the reason.", TABLE_TEXT, problem),
	BY_CONSUMER(TEXT_GAUGE, "cdrd_consumer_connected", "Whether a queue or topic is being consumed: 0 or 1.",
	            TABLE_FLAG, connected),
	BY_CONSUMER(
		TEXT_GAUGE, "cdrd_consumer_lag_messages",
		"Messages of a queue, or of the assigned partitions of a topic, that are not on disk, as far as the "
		"broker has told.",
		TABLE_KNOWN, lag),
	BY_CONSUMER(TEXT_GAUGE, "cdrd_consumer_waiting_messages", "Messages that have arrived and are not on disk.",
	            TABLE_UINT, waiting),
	BY_CONSUMER(TEXT_COUNTER, "cdrd_consumer_messages_total", "Messages that are on disk.", TABLE_UINT, messages),
	BY_CONSUMER(TEXT_COUNTER, "cdrd_consumer_unreadable_messages_total",
	            "Of them, those that could not be read and are in quarantine as a whole.", TABLE_UINT, unreadable),
	BY_CONSUMER(TEXT_COUNTER, "cdrd_consumer_interruptions_total",
	            "Times that consuming did not work; cdrctl consumer list has the reason.", TABLE_UINT,
	            interruptions),
	BY_CONSUMER(TEXT_GAUGE, "cdrd_consumer_last_message_timestamp_seconds",
	            "When a message was last put on disk, in seconds since the epoch; 0: none since the start.",
	            TABLE_SECONDS, last_us),
	/* sealing */
	COUNTER("cdrd_seal_seals_total", "Runs of blocks that were made of hot rows.", "", store.sealing.seals),
	COUNTER("cdrd_seal_merges_total", "Runs of blocks that were made of other runs.", "", store.sealing.merges),
	COUNTER("cdrd_seal_rows_total", "Rows that seals and merges have put into blocks.", "", store.sealing.rows),
	COUNTER("cdrd_seal_blocks_total", "Blocks that seals and merges have made.", "", store.sealing.blocks),
	COUNTER("cdrd_seal_bytes_total", "Bytes of these blocks.", "", store.sealing.bytes),
	COUNTER("cdrd_seal_misread_total",
	        "Parts of blocks that did not read back as they were written, and were kept uncompressed or not made.",
	        "", store.sealing.misread),
	HISTOGRAM("cdrd_seal_duration_seconds",
	          "Time from the beginning of a seal or merge until it was in a transaction.", "", store.sealing.job),
	HISTOGRAM("cdrd_upkeep_slice_duration_seconds", "What a slice of sealing kept the loop for.", "",
	          ingest.maintenance_duration),
	COUNTER("cdrd_upkeep_failures_total", "Slices of sealing that failed.", "", ingest.maintenance_failed),
	GAUGE("cdrd_store_hot_rows", "Rows of open days that are not sealed.", "", store.hot_rows),
	GAUGE("cdrd_store_dates", "UTC dates that there are records of.", "", store.days),
	/* reports */
	GAUGE(REPORTS, "state=\"PENDING\"", reports.pending),
	GAUGE(REPORTS, "state=\"PROCESSING\"", reports.processing),
	COUNTER(REPORTS_ENDED, "state=\"SUCCESS\"", reports.ended[REPORT_SUCCESS]),
	COUNTER(REPORTS_ENDED, "state=\"TRUNCATED\"", reports.ended[REPORT_TRUNCATED]),
	COUNTER(REPORTS_ENDED, "state=\"FAILED\"", reports.ended[REPORT_FAILED]),
	COUNTER(REPORTS_ENDED, "state=\"ABORTED\"", reports.ended[REPORT_ABORTED]),
	COUNTER("cdrd_report_rows_total", "Rows of reports that ended with a file.", "", reports.rows),
	COUNTER("cdrd_report_bytes_total", "Bytes of the files of reports.", "", reports.bytes),
	GAUGE_SECONDS("cdrd_report_slice_max_seconds", "Longest slice of making reports since the start.", "",
	              reports.slice_us_max),
	COUNTER(ERASED, "kind=\"stored\"", ingest.erased),
	COUNTER(ERASED, "kind=\"rejected\"", ingest.erased_rejects),
	/* schedules and reconciliations */
	COUNTER("cdrd_schedule_runs_total", "Runs of schedules that have made a report.", "", schedules.runs),
	COUNTER("cdrd_schedule_runs_failed_total", "Runs of schedules that have made none.", "", schedules.failed),
	COUNTER("cdrd_schedule_runs_late_total",
	        "Runs of schedules that made up for missed ones, as the daemon or its disk was not there.", "",
	        schedules.late),
	COUNTER("cdrd_schedule_runs_put_off_total", "Times that a run could not be made yet, for want of room.", "",
	        schedules.put_off),
	GAUGE(RECONCILIATIONS, "state=\"PENDING\"", reconciles.pending),
	GAUGE(RECONCILIATIONS, "state=\"PROCESSING\"", reconciles.processing),
	COUNTER(RECONCILIATIONS_ENDED, "state=\"SUCCESS\"", reconciles.ended[REPORT_SUCCESS]),
	COUNTER(RECONCILIATIONS_ENDED, "state=\"FAILED\"", reconciles.ended[REPORT_FAILED]),
	COUNTER(RECONCILIATIONS_ENDED, "state=\"ABORTED\"", reconciles.ended[REPORT_ABORTED]),
	/* callbacks */
	GAUGE(CALLBACKS, "state=\"waiting\"", callbacks.waiting),
	GAUGE(CALLBACKS, "state=\"sending\"", callbacks.sending),
	GAUGE(CALLBACKS, "state=\"failed\"", callbacks.failed),
	GAUGE("cdrd_callbacks_held", "1 while callbacks are held: by the setting, or in a copy restored from a backup.",
	      "", callbacks.held),
	COUNTER("cdrd_callback_attempts_total", "Attempts at callbacks.", "", callbacks.attempts),
	COUNTER("cdrd_callback_attempts_failed_total", "Attempts at callbacks that failed.", "",
	        callbacks.attempts_failed),
	COUNTER("cdrd_callback_attempts_refused_total", "Attempts at callbacks whose address is not allowed.", "",
	        callbacks.refused),
	COUNTER("cdrd_callback_delivered_total", "Callbacks that were delivered.", "", callbacks.delivered),
	COUNTER("cdrd_callback_given_up_total", "Callbacks that were given up.", "", callbacks.given_up),
	GAUGE(DELIVERIES, "state=\"waiting\"", callbacks.deliveries.waiting),
	GAUGE(DELIVERIES, "state=\"failed\"", callbacks.deliveries.failed),
	GAUGE_SECONDS("cdrd_delivery_oldest_age_seconds",
	              "Age of the oldest delivery that has neither arrived nor been given up, 0 if there is none.", "",
	              callbacks.deliveries.oldest_age_us),
	COUNTER("cdrd_delivery_attempts_total", "Attempts at deliveries; they are among those at callbacks.", "",
	        callbacks.deliveries.attempts),
	COUNTER("cdrd_delivery_attempts_failed_total", "Attempts at deliveries that failed.", "",
	        callbacks.deliveries.attempts_failed),
	COUNTER("cdrd_delivery_delivered_total", "Deliveries that have arrived.", "", callbacks.deliveries.delivered),
	COUNTER("cdrd_delivery_given_up_total", "Deliveries that were given up.", "", callbacks.deliveries.given_up),
	/* charges and limits */
	COUNTER("cdrd_usage_requests_total", "Requests that have a usage record, with a price or without.", "",
	        billing.requests),
	COUNTER("cdrd_usage_items_total", "Items of these requests.", "", billing.items),
	COUNTER("cdrd_usage_lost_total", "Usage records that could not be kept.", "", billing.lost),
	GAUGE("cdrd_usage_waiting", "Usage records that wait for the next commit.", "", billing.waiting),
	COUNTER("cdrd_limited_requests_total", "Requests refused with 429, over a limit of their account.", "",
	        limited),
	COUNTER("cdrd_logins_failed_total", "Requests with wrong credentials.", "", logins.failed),
	COUNTER("cdrd_logins_refused_total",
	        "Requests refused with 429, as many answers to wrong credentials of their address were being delayed.",
	        "", logins.refused),
	COUNTER("cdrd_key_uses_new_total", "First uses of a key on a day from a network; the audit log names them.", "",
	        key_uses),
	COUNTER("cdrd_shed_requests_total", "Requests refused with 503, for want of memory or for lag.", "",
	        guard.shed),
	GAUGE("cdrd_guarded_memory_bytes", "Memory that shed_memory looks at: without the pages of LMDB's maps.", "",
	      guard_memory_bytes),
	/* LMDB */
	GAUGE(ENVIRONMENTS, CATALOG, store.catalog.count),
	GAUGE(ENVIRONMENTS, DAYS, store.open_days.count),
	GAUGE(MAP_BYTES, CATALOG, store.catalog.map_bytes),
	GAUGE(MAP_BYTES, DAYS, store.open_days.map_bytes),
	GAUGE(USED_BYTES, CATALOG, store.catalog.used_bytes),
	GAUGE(USED_BYTES, DAYS, store.open_days.used_bytes),
	GAUGE_RATIO(USED_RATIO, CATALOG, catalog_used_ratio),
	GAUGE_RATIO(USED_RATIO, DAYS, days_used_ratio),
	GAUGE(READERS, CATALOG, store.catalog.readers),
	GAUGE(READERS, DAYS, store.open_days.readers),
	GAUGE(SLOTS, CATALOG, store.catalog.reader_slots),
	GAUGE(SLOTS, DAYS, store.open_days.reader_slots),
	/* faults */
	GAUGE("cdrd_commits_failed", "Commits that have failed since the last one that succeeded.", "",
	      health.commits_failed),
	GAUGE(BROKEN, CATALOG, catalog_broken),
	GAUGE("cdrd_store_dates_damaged",
	      "Days that cannot be read, damaged or missing ones, as far as has been tried.", "", health.days_broken),
	COUNTER("cdrd_lmdb_reopened_total", "LMDB environments that were opened anew after a write that failed.", "",
	        health.reopened),
	/* the clock */
	GAUGE_SECONDS("cdrd_clock_last_seen_seconds", "Last seen time, in seconds since the epoch.", "", clock_seen_us),
	GAUGE("cdrd_deletion_held",
	      "Whether nothing is deleted for its age, as the clock is more than a day after the last seen time: 0 or 1.",
	      "", deletion_held),
	/* the disk */
	GAUGE("cdrd_disk_free_bytes", "Bytes free for the daemon on the disk of data_dir.", "", disk.free_bytes),
	GAUGE("cdrd_disk_size_bytes", "Size of the disk of data_dir.", "", disk.total_bytes),
	GAUGE("cdrd_disk_limit_bytes", "Bytes that disk_min_free keeps free.", "", disk.limit_bytes),
	GAUGE("cdrd_disk_low", "Whether ingest is refused for want of disk: 0 or 1.", "", disk_low),
};

const size_t table_rows_count = sizeof(table_rows) / sizeof(table_rows[0]);

void table_write_sample(const struct table_row *row, const void *source, struct str labels, struct buf *out)
{
	const void *value = (const char *)source + row->offset;

	switch (row->value) {
	case TABLE_UINT:
		text_uint(out, row->name, labels, *(const uint64_t *)value);
		break;
	case TABLE_KNOWN:
		if (*(const int64_t *)value >= 0)
			text_uint(out, row->name, labels, (uint64_t) * (const int64_t *)value);
		break;
	case TABLE_FLAG:
		text_uint(out, row->name, labels, *(const bool *)value);
		break;
	case TABLE_TEXT:
		text_uint(out, row->name, labels, **(const char *const *)value != '\0');
		break;
	case TABLE_SECONDS:
		text_seconds(out, row->name, labels, *(const int64_t *)value);
		break;
	case TABLE_RATIO:
		text_ratio(out, row->name, labels, *(const double *)value);
		break;
	case TABLE_HISTOGRAM:
		text_histogram(out, row->name, labels, value);
		break;
	}
}
