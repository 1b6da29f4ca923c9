/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

/* Around functions from which the fuzzer is to learn nothing: what it is after is in the
 * library, and to count what watches that takes longer than to do it. */
#ifdef __clang__
#define FUZZ_BEGIN_WATCHER _Pragma ("clang attribute push (__attribute__ ((no_sanitize (\"coverage\"))), apply_to = function)")
#define FUZZ_END_WATCHER   _Pragma ("clang attribute pop")
#else
#define FUZZ_BEGIN_WATCHER
#define FUZZ_END_WATCHER
#endif

/* What libFuzzer calls, and fuzz-main.c where there is no such thing. */
int LLVMFuzzerTestOneInput (const uint8_t *data,
                            size_t         size);
