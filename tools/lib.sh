# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# lib.sh: what ./quickstart, ./runtests and bench/run share: messages, packages, the build, ports, waiting.
# $TOP is the project's folder, $PROGRAM the name that messages begin with; both are set by who sources this.

# What it takes to build cdrd, all from Debian 12.
# shellcheck disable=SC2034
BUILD_PACKAGES=(gcc libc6-dev make autoconf automake pkg-config python3 libevent-dev liblmdb-dev libmsgpack-dev
	libzstd-dev libisal-dev zlib1g-dev libcurl4-openssl-dev libssl-dev libinih-dev libxxhash-dev
	libncurses-dev libsystemd-dev librabbitmq-dev librdkafka-dev libpq-dev)

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "$PROGRAM: $*"
	exit 1
}

# as_root COMMAND...: with sudo if need be.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# need PACKAGE...: installs what is missing, and nothing if nothing is.
need() {
	local missing=() package

	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	say "installing ${missing[*]}"
	as_root apt-get update -qq >&2 || say "$PROGRAM: apt-get update failed, trying with the lists that are there"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
		die "could not install ${missing[*]}"
}

# build_in DIRECTORY CONFIGURE-ARGUMENT... -- MAKE-TARGET...: an out-of-tree build; what is built already stays.
build_in() {
	local directory=$1 arguments=()

	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		arguments+=("$1")
		shift
	done
	shift
	mkdir -p "$directory"
	[ -x "$TOP/configure" ] || (cd "$TOP" && autoreconf -fi) >"$directory/autoreconf.log" 2>&1 ||
		die "autoreconf failed, see $directory/autoreconf.log"
	if [ ! -f "$directory/Makefile" ]; then
		(cd "$directory" && "$TOP/configure" "${arguments[@]}") >"$directory/configure.log" 2>&1 ||
			die "configure failed, see $directory/configure.log"
	fi
	make -C "$directory" -j"$(nproc)" "$@" >"$directory/make.log" 2>&1 || {
		tail -n 40 "$directory/make.log" >&2
		die "make failed, see $directory/make.log"
	}
}

# A node that did not come from Debian brings its own npm.
need_node() {
	command -v node >/dev/null || need nodejs
	command -v npm >/dev/null || need npm
}

# npm_packages FOLDER install|ci: the packages of the folder's lock, without what scripts of theirs would do.
npm_packages() {
	cmp -s "$1/package-lock.json" "$1/node_modules/.installed" && return
	cp "$1/package-lock.json" "$1/installing" # npm may write the other one anew
	(cd "$1" && npm "$2" --ignore-scripts --no-progress >npm.log 2>&1) || {
		tail -n 20 "$1/npm.log" >&2
		return 1
	}
	mv "$1/installing" "$1/node_modules/.installed"
}

# port_is_free PORT, of 127.0.0.1.
port_is_free() {
	python3 -c 'import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))' "$1" 2>/dev/null
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_until COMMAND...: until it succeeds, at most 30 seconds.
wait_until() {
	local n

	for ((n = 0; n < 300; n++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	die "waited 30 seconds in vain for: $*"
}
