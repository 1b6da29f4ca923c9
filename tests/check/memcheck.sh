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
# By process, since what two of them say comes mixed.
grep -a '^==[0-9]*==' "$BUILD/meson-logs/testlog-valgrind.txt" | sort -s -t= -k3,3 |
  awk -f tests/check/open-descriptors.awk || fail "descriptors are left open"
