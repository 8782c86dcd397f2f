# SPDX-License-Identifier: GPL-3.0-or-later
# What quickstart and check share: packages, the place to install to, steps.
# To be read by "." in a POSIX shell, in the top folder.

PACKAGES_BUILD="gcc libc6-dev make autoconf automake libtool pkg-config xz-utils
	protobuf-c-compiler libprotobuf-c-dev libevent-dev libmunge-dev munge
	libssl-dev libsqlite3-dev libconfuse-dev libhwloc-dev uuid-dev
	libjansson-dev libnl-route-3-dev uthash-dev
	libpmix-dev libopenmpi-dev openmpi-bin python3-docutils"
PACKAGES_DEMO="hpcc sox flac procps"
PACKAGES_TEST="faketime clang libclang-rt-14-dev libcmocka-dev python3 python3-pytest
	mpich libmpich-dev python3-mpi4py flac hpcc procps"

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	[ $# -lt 2 ] || printf '%s: hint: %s\n' "${0##*/}" "$2" >&2
	exit 1
}

# need_root: nothing here works without.
need_root() {
	[ "$(id -u)" = 0 ] ||
		die "needs root, for packages, namespaces and cgroups" "sudo ./${0##*/}"
}

# install_packages PACKAGE...: those that are missing.
install_packages() {
	missing=
	for p in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) in
		"install ok installed") ;;
		*) missing="$missing $p" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null ||
		die "not a Debian machine" "install the equivalents of:$missing"
	say "Installing:$missing"
	log=$(mktemp)
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "apt-get could not install:$missing" \
			"is there a network, and a deb line in /etc/apt/sources.list?"
	fi
	rm -f "$log"
}

# choose_prefix BUILD NAME: BUILD/inst if everyone can reach it, else
# /opt/NAME: users must be able to run what is installed.
choose_prefix() {
	if (cd "$1" && setpriv --reuid=65534 --regid=65534 --clear-groups \
		test -x "$PWD" ) 2>/dev/null; then
		(cd "$1" && printf '%s/inst\n' "$PWD")
	else
		printf '/opt/%s\n' "$2"
	fi
}

# step LOG WHAT COMMAND...: runs it quietly; on failure shows the log's end.
step() {
	log=$1 what=$2
	shift 2
	if ! "$@" >"$log" 2>&1; then
		tail -n "${STEP_LINES:-40}" "$log" >&2
		printf '%s: error: %s failed; all of it is in %s\n' "${0##*/}" \
			"$what" "$log" >&2
		return 1
	fi
}

# build_tree BUILD LOGS [TARGET...] -- CONFIGURE-OPTION...: autogen.sh,
# configure, make. configure runs again only if it is asked differently.
build_tree() {
	build=$1 logs_=$2 targets_=
	shift 2
	while [ "$1" != -- ]; do targets_="$targets_ $1"; shift; done
	shift
	mkdir -p "$build" "$logs_"
	if [ ! -x configure ] || [ ! -f Makefile.in ] ||
	   [ ! -f build-aux/missing ]; then
		step "$logs_/autogen.log" autogen.sh ./autogen.sh || return 1
	fi
	asked=$(printf '%s\n' "${CC:-cc}" "${CFLAGS:-}" "$@")
	if [ ! -f "$build/Makefile" ] ||
	   [ "$(cat "$build/.asked" 2>/dev/null)" != "$asked" ]; then
		(cd "$build" && step "$logs_/configure.log" configure \
			../configure "$@") || return 1
		printf '%s\n' "$asked" >"$build/.asked"
	fi
	step "$logs_/make.log" make make -C "$build" -j"$(nproc)" $targets_
}
