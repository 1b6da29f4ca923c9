#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The conformance test of each backend, in orders that are disturbed little with
# many seeds and much with few. OSIISO_CHECK_SEEDS says how many of the former.
. tests/check/common.sh
need meson ninja seq

# shellcheck disable=SC2086 # words
configure $quick
meson compile -C "$BUILD"

seeds=${OSIISO_CHECK_SEEDS:-10}
first=${OSIISO_CHECK_FIRST_SEED:-1}
status=0
n=0
for per_mille in 20 200; do
  if [ "$per_mille" = 200 ]; then
    seeds=$(((seeds + 4) / 5))
  fi
  OSIISO_MODULE_PATH=$PWD/$BUILD/tests G_DEBUG=fatal-criticals \
    meson devenv -C "$BUILD" "$PWD/tests/check/test-chaos.py" --all-cases --per-mille "$per_mille" --jobs "$(nproc)" \
      --seeds "$(seq -s , "$first" $((first + seeds - 1)))" \
      tests/check/chaos.so tests/check/chaos-deadlock tests/osiiso-backend-conformance || status=1
  n=$((n + 3 * seeds))
done
[ "$status" -eq 0 ] || fail "some of $n runs failed"
echo "$n runs of the conformance test, with seeds from $first"
