# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the checkers share; each is run as CHECKER in the folder of the sources, with
# BUILD as the build folder that is its own. The last line that one prints is its result.
set -eu
export LC_ALL=C.UTF-8

# A machine that checks is a busy one.
multiplier=${OSIISO_CHECK_TIMEOUT_MULTIPLIER:-5}

fail ()
{
  printf '%s\n' "$*"
  exit 1
}

# need PROGRAM...
need ()
{
  for program; do
    command -v "$program" >/dev/null || fail "$program is missing; it is in a package of packages-check.txt"
  done
}

# configure OPTION...: without what only people look at.
configure ()
{
  if [ -f "$BUILD/meson-private/coredata.dat" ]; then
    # A setup leaves the arguments of compilers as they were.
    { meson configure "$BUILD" "$@" && meson setup --reconfigure "$BUILD" .; } || meson setup --wipe "$BUILD" . "$@"
  else
    meson setup "$BUILD" . "$@"
  fi
}

quick="-Dintrospection=disabled -Dvapi=disabled -Dexamples=disabled"

# The tests that are programs of ours, without those in Python, whose interpreter
# would be checked. compiled_tests [SUITE]
compiled_tests ()
{
  meson introspect --tests "$BUILD" | /usr/bin/python3 -c '
import json, os, sys
for test in json.load(sys.stdin):
    suites = {s.split(":")[-1] for s in test["suite"]}
    if sys.argv[1] in suites and "explorer" not in suites and "python" not in os.path.basename(test["cmd"][0]):
        print(test["name"])' "${1:-core}"
}

# run_tests ARGUMENT...: says what failed, at last how many did.
run_tests ()
{
  status=0
  meson test -C "$BUILD" --no-rebuild --timeout-multiplier "$multiplier" --print-errorlogs "$@" || status=$?
  ok=$(sed -n 's/^Ok: *//p' "$BUILD/meson-logs"/testlog*.txt | tail -n 1)
  failed=$(sed -n 's/^\(Fail\|Timeout\): *//p' "$BUILD/meson-logs"/testlog*.txt | tr '\n' ' ')
  printf '%s test programs passed, failed and timed out: %s\n' "${ok:-0}" "${failed:-none were run}"
  return "$status"
}
