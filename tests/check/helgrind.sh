#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Races and orders of locks with valgrind, in the parts of the core that do without
# GLib's locks; with those it reports what is none. cancel-cost is not among them: it has
# no threads, and counts what is touched by the faults of memory that it provokes.
. tests/check/common.sh
need valgrind meson ninja

# shellcheck disable=SC2086 # words
configure $quick -Doptimization=1
meson compile -C "$BUILD"
run_tests --setup=helgrind deadline-heap frame rate-limiter ready-list record-pool
