/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "osiiso-batch-private.h"
#include "osiiso-group.h"

G_BEGIN_DECLS

/* A view of @batch, on which it takes a reference. */
OsiisoGroup *osiiso_group_new           (OsiisoBatch *batch);

/* The batch grew; tells the group, if there is one, and drops the reference. In
 * the owner's context. */
void         osiiso_group_members_added (OsiisoBatch *batch);

G_END_DECLS
