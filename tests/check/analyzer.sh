#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The analyzer of gcc on all that is installed, without optimisation: with it, it
# sees less.
. tests/check/common.sh
need gcc meson ninja

CC=gcc
export CC
# shellcheck disable=SC2086 # words
configure $quick -Dtests=false -Doptimization=0 -Dc_args=-fanalyzer
log=$BUILD/analyzer.log
# All of it again, so that it is said again.
ninja -C "$BUILD" -t clean >/dev/null
ninja -C "$BUILD" -k 0 >"$log" 2>&1 || { tail -n 20 "$log"; fail "it does not compile"; }

# Of each warning the first line; those of analyzer.txt are none.
sed -n '/^#/d; s/ *$//; /./p' tests/check/analyzer.txt >"$BUILD/known"
n=$(grep 'warning: .*Wanalyzer' "$log" | grep -c -v -f "$BUILD/known" || true)
if [ "$n" -gt 0 ]; then
  cat "$log"
  grep 'warning: .*Wanalyzer' "$log" | grep -v -f "$BUILD/known"
  fail "$n warnings"
fi
echo "$(grep -c 'Compiling C object' "$log") files without a warning"
