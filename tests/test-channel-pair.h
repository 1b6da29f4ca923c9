/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <osiiso.h>

#include "osiiso-frame-private.h"

G_BEGIN_DECLS

/* A channel, and its parent as somebody who writes and reads by hand. */
typedef struct
{
  OsiisoWorkerChannel *channel;
  int                  fd;
  OsiisoFrameBuffer    out;
  OsiisoFrameReader    in;
  gboolean             taken;
} Pair;

void                pair_send      (Pair           *pair);
/* FALSE at the end. */
gboolean            pair_receive   (Pair           *pair,
                                    OsiisoFrame    *frame);
/* The parent has greeted, and takes bodies of 1 MiB or up to @max_body bytes. */
void                pair_start     (Pair           *pair);
void                pair_start_with_limit (Pair    *pair,
                                           guint32  max_body);
void                pair_stop      (Pair           *pair);

/* The next frame that comes from the channel; @payload (nullable): whatever. */
void                assert_frame   (Pair           *pair,
                                    OsiisoFrameKind kind,
                                    guint32         id,
                                    const char     *payload);
void                assert_silence (Pair           *pair);

void                append_call    (Pair           *pair,
                                    guint32         id);
void                send_call      (Pair           *pair,
                                    guint32         id,
                                    char            encoding,
                                    const char     *payload);
void                send_word      (Pair           *pair,
                                    OsiisoFrameKind kind,
                                    guint32         id);
/* What the channel has now, without an error. */
OsiisoWorkerMessage receive        (Pair           *pair);

G_END_DECLS
