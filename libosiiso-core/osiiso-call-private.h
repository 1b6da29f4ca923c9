/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-call.h"
#include "osiiso-scheduler-private.h"
#include "osiiso-task-params-private.h"

G_BEGIN_DECLS

/* The task function of calls that run in this process; the data is the call. */
void              osiiso_call_perform    (OsiisoAttempt    *attempt,
                                          gpointer          call);

/* Whether the backend can run it, as far as that can be known. From here on the
 * call does not change any more. */
gboolean          osiiso_call_prepare    (OsiisoCall       *self,
                                          OsiisoScheduler  *scheduler,
                                          GError          **error);

/* A call of the same function with other arguments, of one that was prepared. */
OsiisoCall       *osiiso_call_derive     (OsiisoCall       *self,
                                          GBytes           *bytes);

/* Params with nothing but the name of the function. */
OsiisoTaskParams *osiiso_call_get_params (OsiisoCall       *self);

G_END_DECLS
