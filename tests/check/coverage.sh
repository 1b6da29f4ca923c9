#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How much of the library and the backends the tests of the core run; coverage.py has
# the gate. A branch that only a macro of GLib has, for a programmer's error, a type or
# nothing that is there, does not count.
. tests/check/common.sh
need gcovr gcc meson ninja

CC=gcc
export CC
# shellcheck disable=SC2086 # words
configure $quick -Doptimization=0 -Db_coverage=true \
  -Dc_args="-include $PWD/tests/check/coverage-exit.h -fprofile-update=atomic"
meson compile -C "$BUILD"
find "$BUILD" -name '*.gcda' -delete
tests=0
run_tests --suite core --no-suite explorer || tests=1

gcovr --root . --object-directory "$BUILD" --exclude-unreachable-branches --exclude-throw-branches \
  --exclude-branches-by-pattern '.*(g_return_|g_assert|G_DEFINE_|G_DECLARE_|g_autofree|g_autoptr|g_clear_|g_task_set_source_tag|g_once_init_enter).*' \
  --filter libosiiso-core/ --filter plugins/ --json "$BUILD/coverage.json" "$BUILD"
/usr/bin/python3 tests/check/coverage.py "$BUILD/coverage.json" tests/check/coverage.txt || fail "too little is tested"
[ "$tests" -eq 0 ] || fail "tests have failed"
