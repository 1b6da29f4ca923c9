#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# asan.sh gcc|clang: addresses, leaks and undefined behaviour. There is no file of
# suppressions: GLib needs none.
. tests/check/common.sh
need "$1" meson ninja

flags='-fno-sanitize-recover=all -fno-omit-frame-pointer'
if [ "$1" = clang ]; then
  # GLib casts callbacks, as its own tests do.
  flags="$flags -fno-sanitize=function -Wno-unused-command-line-argument"
fi
CC=$1
# What is set here, in an environment, is not seen by meson later.
export CC
# shellcheck disable=SC2086 # words
configure $quick -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false -Dc_args="$flags"
meson compile -C "$BUILD"

ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS UBSAN_OPTIONS
run_tests --suite core --no-suite explorer
