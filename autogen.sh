#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes configure and the Makefile templates. One at a time: a lock keeps two
# builds of one tree from writing the same files.
set -eu
cd "$(dirname "$0")"
mkdir -p build-aux m4
exec 9>build-aux/.autogen.lock
flock 9
autoreconf --install --force --warnings=all,no-obsolete
