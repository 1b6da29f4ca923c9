#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tsan.sh core|all: races with ThreadSanitizer. With the GLib of the system it sees
# only what does without GLib's locks; for all the rest GLib is built for it, too.
. tests/check/common.sh
need gcc meson ninja

CC=gcc
export CC
glib=
if [ "$1" = all ]; then
  log=$BUILD-glib.log
  tests/check/glib-tsan.sh >"$log" 2>&1 || { cat "$log"; fail "GLib could not be built: $(tail -n 1 "$log")"; }
  glib=$(tail -n 1 "$log")
  [ -e "$glib/libglib-2.0.so.0" ] || fail "there is no GLib in $glib"
fi
# shellcheck disable=SC2086 # words
configure $quick -Doptimization=1 -Db_sanitize=thread -Db_lundef=false
meson compile -C "$BUILD"

TSAN_OPTIONS=halt_on_error=0:die_after_fork=0:second_deadlock_stack=1:suppressions=$PWD/tests/check/tsan.supp
export TSAN_OPTIONS
if [ "$1" = core ]; then
  run_tests --repeat "${OSIISO_CHECK_REPEAT:-20}" deadline-heap frame rate-limiter ready-list record-pool
else
  LD_LIBRARY_PATH=$glib
  export LD_LIBRARY_PATH
  run_tests --repeat "${OSIISO_CHECK_REPEAT:-1}" --suite core
fi
