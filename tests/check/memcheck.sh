#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Memory, leaks and descriptors with valgrind; the tests that are programs of ours.
. tests/check/common.sh
need valgrind meson ninja

# shellcheck disable=SC2086 # words
configure $quick -Doptimization=1
meson compile -C "$BUILD"
# shellcheck disable=SC2046 # one word per test
run_tests --setup=valgrind $(compiled_tests)
awk -f tests/check/open-descriptors.awk "$BUILD/meson-logs/testlog-valgrind.txt" || fail "descriptors are left open"
