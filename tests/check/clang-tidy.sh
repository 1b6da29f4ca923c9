#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# clang-tidy on all that is installed, with the checks of clang-tidy.yaml.
. tests/check/common.sh
need clang run-clang-tidy meson ninja

CC=clang
export CC
# shellcheck disable=SC2086 # words
configure $quick -Dtests=false
# There are headers that are made.
meson compile -C "$BUILD"
run-clang-tidy -quiet -p "$BUILD" -config="$(cat tests/check/clang-tidy.yaml)" '/(libosiiso-core|plugins|tools)/.*\.c$' ||
  fail "it found something"
echo "no finding"
