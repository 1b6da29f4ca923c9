#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cppcheck on all that is installed. It takes what is handed over for a leak and
# an unref for the end of an object; the lines where it did say so.
. tests/check/common.sh
need cppcheck

cppcheck --library=gtk --enable=warning,performance,portability --std=c11 --quiet \
  --inline-suppr --error-exitcode=1 --suppressions-list=tests/check/cppcheck.txt \
  -D_GNU_SOURCE -DOSIISO_COMPILATION -DHAVE_SYSPROF \
  -Ilibosiiso-core -Iplugins/main-loop -Iplugins/subprocess -Iplugins/thread-pool \
  libosiiso-core plugins tools || fail "it found something"
echo "$(find libosiiso-core plugins tools -name '*.c' | wc -l) files without a finding"
