# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# lib.sh: what bench/run and its sections share beside tools/lib.sh: figures, tables, cores.
#
# A figure is a line "NAME VALUE" in $WORK/figures; names are PEER.JOB.MEASURE, for instance cdrd.page.p99_ms. Jobs
# print their measures as "measure value" lines, which `measured PEER JOB` reads and names.

# measured PEER JOB: keeps the "measure value" lines of standard input.
measured() {
	sed "s/^/$1.$2./" >>"$WORK/figures"
}

# figure NAME: its value, or nothing.
figure() {
	awk -v name="$1" '$1 == name { value = $2 } END { print value }' "$WORK/figures"
}

# ratio NAME OVER UNDER: keeps OVER / UNDER, two figures, as the figure cdrd.NAME; nothing if one is missing.
ratio() {
	awk -v over="$(figure "$2")" -v under="$(figure "$3")" -v name="cdrd.$1" \
		'BEGIN { if (over != "" && under > 0) print name, over / under }' >>"$WORK/figures"
}

# A table's columns: cdrd's figure and, for each of PEERS, the peer's and how many times better cdrd is. With GOALS, what
# is wanted and whether it is met.
declare -A PEER_NAMES=([sqlite]=SQLite [postgres]=PostgreSQL [duckdb]=DuckDB [clickhouse]=ClickHouse [lmdb]=LMDB)

# table_head [PEER...]
table_head() {
	local peer

	PEERS=("$@")
	printf '%-50s %-12s %10s' "" unit "${OWN_NAME:-cdrd}"
	for peer in "${PEERS[@]}"; do
		printf ' %11s %7s' "${PEER_NAMES[$peer]}" "${OWN_NAME:-cdrd}/"
	done
	[ -z "${GOALS:-}" ] || printf ' %18s' goal
	printf '\n'
}

# row TEXT UNIT JOB.MEASURE [PEERS' JOB.MEASURE] [lower] [GOAL]: a line of the table. Measures where less is better say
# `lower`; GOAL is then the most that is allowed, else the least.
row() {
	local text=$1 unit=$2 own=$3 theirs=${4:-$3} better=${5:-higher} goal=${6:-} peer values=()

	for peer in "${PEERS[@]}"; do
		values+=("$(figure "$peer.$theirs")")
	done
	printf '%s\n' "$(figure "cdrd.$own")" "${values[@]}" | awk -v text="$text" -v unit="$unit" -v better="$better" \
		-v count="${#PEERS[@]}" -v goal="$goal" -v goals="${GOALS:-}" '
	function shown(v) { return v == "" ? "-" : sprintf(v >= 1000 ? "%.0f" : v >= 10 ? "%.1f" : "%.3f", v) }
	function times(peer) {
		if (own == "" || peer == "" || own == 0 || peer == 0)
			return ""
		better_by = better == "lower" ? peer / own : own / peer
		return sprintf(better_by < 10 ? "%.2fx" : "%.1fx", better_by)
	}
	function verdict() {
		if (goal == "")
			return ""
		return (better == "lower" ? "<= " : ">= ") goal (own == "" ? "" : \
			(better == "lower" ? own + 0 <= goal + 0 : own + 0 >= goal + 0) ? " met" : " MISSED")
	}
	NR == 1 { own = $1; printf "%-50s %-12s %10s", text, unit, shown(own); next }
	NR > 1 && peers++ < count { printf " %11s %7s", shown($1), times($1) }
	END { printf goals == "" ? "\n" : " %18s\n", verdict() }'
}

# machine: one line for the head of a table.
machine() {
	echo "$(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
}

# Where servers under test run and where their clients do: each on a core of its own, if there are two.
on_server=()
on_client=()
if [ "$(nproc)" -ge 2 ] && command -v taskset >/dev/null; then
	on_server=(taskset -c 0)
	on_client=(taskset -c 1)
fi

# rate COUNT BEGUN ENDED: as the measure records_per_s; times in seconds.
rate() {
	awk -v count="$1" -v begun="$2" -v ended="$3" 'BEGIN { printf "records_per_s %.0f\n", count / (ended - begun) }'
}

now() {
	date +%s.%N
}
