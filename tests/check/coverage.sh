#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How much of the library the tests run. A branch that only a macro of GLib has, for a
# programmer's error or a type, does not count.
. tests/check/common.sh
need gcovr gcc meson ninja

CC=gcc
export CC
# shellcheck disable=SC2086 # words
configure $quick -Doptimization=0 -Db_coverage=true
meson compile -C "$BUILD"
find "$BUILD" -name '*.gcda' -delete
tests=0
run_tests --suite core --no-suite explorer || tests=1

measure ()
{
  what=$1
  shift
  gcovr --root . --object-directory "$BUILD" --exclude-unreachable-branches --exclude-throw-branches \
    --exclude-branches-by-pattern '.*(g_return_|g_assert|G_DEFINE_|g_autofree|g_autoptr).*' \
    --txt "$BUILD/$what.txt" --json-summary "$BUILD/$what.json" "$@" "$BUILD"
  /usr/bin/python3 -c '
import json, sys
s = json.load(open(sys.argv[2]))
print("%s: %.1f %% of %d lines, %.1f %% of %d branches" %
      (sys.argv[1], s["line_percent"], s["line_total"], s["branch_percent"], s["branch_total"]), end="")' \
    "$what" "$BUILD/$what.json"
}

core=$(measure core --filter libosiiso-core/)
plugins=$(measure plugins --filter plugins/)
scheduler=$(measure scheduler --filter 'libosiiso-core/osiiso-(scheduler|ready-list|deadline-heap|rate-limiter|admission|frame)')
cat "$BUILD/scheduler.txt"
printf '%s; %s; %s\n' "$core" "$plugins" "$scheduler"
exit "$tests"
