# lib.sh: what bench/run and its peers share: messages, figures, samples.
#
# A figure is a line "NAME VALUE" in $WORK/figures; names are PEER.JOB.MEASURE, for instance cdrd.page.p99_ms. Jobs
# print their measures as "measure value" lines, which `measured PEER JOB` reads and names.

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "bench: $*"
	exit 1
}

# measured PEER JOB: keeps the "measure value" lines of standard input.
measured() {
	sed "s/^/$1.$2./" >>"$WORK/figures"
}

# figure NAME: its value, or nothing.
figure() {
	awk -v name="$1" '$1 == name { value = $2 } END { print value }' "$WORK/figures"
}

# row TEXT UNIT JOB.MEASURE [PEERS' JOB.MEASURE] [lower]: a line of the table; how many times better cdrd is than each
# peer stands beside its figure. Measures where less is better say `lower`.
row() {
	local text=$1 unit=$2 own=$3 theirs=${4:-$3} better=${5:-higher}

	awk -v text="$text" -v unit="$unit" -v better="$better" -v own="$(figure "cdrd.$own")" \
		-v sqlite="$(figure "sqlite.$theirs")" -v postgres="$(figure "postgres.$theirs")" '
	function shown(v) { return v == "" ? "-" : sprintf(v >= 1000 ? "%.0f" : v >= 10 ? "%.1f" : "%.3f", v) }
	function ratio(peer) {
		if (own == "" || peer == "" || own == 0 || peer == 0)
			return ""
		return sprintf("%.1fx", better == "lower" ? peer / own : own / peer)
	}
	BEGIN {
		printf "%-44s %-10s %10s %10s %7s %11s %7s\n", text, unit, shown(own), shown(sqlite), ratio(sqlite),
			shown(postgres), ratio(postgres)
	}'
}

table_head() {
	printf '%-44s %-10s %10s %10s %7s %11s %7s\n' "" unit cdrd SQLite cdrd/ PostgreSQL cdrd/
}

# need PACKAGE...: installs what is missing.
need() {
	local missing=() package

	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	say "installing ${missing[*]}"
	local root=()
	[ "$(id -u)" -eq 0 ] || root=(sudo)
	"${root[@]}" apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# Waits until a command succeeds, at most 30 seconds.
wait_until() {
	local n

	for n in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	die "waited 30 seconds in vain for: $*"
}

# A free TCP port.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
