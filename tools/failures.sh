# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# failures.sh: what failed, read from the logs of the tools that ./runtests runs: a line for each test, its name and
# why.

# failures_of_check LOG: those of a unit suite, which Check writes as FILE:LINE:KIND:CASE:TEST:ITERATION: MESSAGE.
failures_of_check() {
	sed -nE 's/^[^: ]+:[0-9]+:[FE]:([^:]*):([^:]*):[0-9]+: (.*)/\1, \2: \3/p' "$1"
}

# failures_of_pytest LOG: as its short summary has them.
failures_of_pytest() {
	sed -nE 's/^(FAILED|ERROR) ([^ ].*::.*|[^ ]+\.py.*)$/\2/p' "$1"
}

# failures_of_tap LOG: of node's TAP, where the reason follows the test's line, on it or in a block of lines.
failures_of_tap() {
	awk '
		function tell() { if (name != "") print name reason; name = reason = ""; in_block = 0 }
		/^ *not ok [0-9]+ - / { tell(); name = $0; sub(/^ *not ok [0-9]+ - /, "", name) }
		/^ *ok [0-9]+ / { tell() }
		/^ *(code|name|expected|stack): / { in_block = 0 }
		in_block { text = $0; sub(/^ */, "", text); if (text != "") reason = reason (reason == ":" ? " " : " | ") text }
		name != "" && /^ *error: / {
			reason = $0
			in_block = sub(/^ *error: \|-$/, ":", reason)
			sub(/^ *error: /, ": ", reason)
		}
		END { tell() }' "$1"
}

# results_of_tap LOG: its lines that say of a test whether it passed.
results_of_tap() {
	grep -E '^ *(not )?ok [0-9]+' "$1"
}
