/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdint.h>

/* What libFuzzer calls, and fuzz-main.c where there is no such thing. */
int LLVMFuzzerTestOneInput (const uint8_t *data,
                            size_t         size);
