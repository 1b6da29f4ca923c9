/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#define OSIISO_INSIDE

#include "osiiso-types.h"

#include "osiiso-adaptive-workers.h"
#include "osiiso-application-hold.h"
#include "osiiso-attempt.h"
#include "osiiso-backend.h"
#include "osiiso-backend-descriptor.h"
#include "osiiso-call.h"
#include "osiiso-command.h"
#include "osiiso-command-result.h"
#include "osiiso-enum-types.h"
#include "osiiso-enums.h"
#include "osiiso-error.h"
#include "osiiso-group.h"
#include "osiiso-handle.h"
#include "osiiso-log.h"
#include "osiiso-queue.h"
#include "osiiso-run-summary.h"
#include "osiiso-task-options.h"
#include "osiiso-task-result.h"
#include "osiiso-token.h"
#include "osiiso-version.h"
#include "osiiso-version-macros.h"
#include "osiiso-worker.h"
#include "osiiso-worker-channel.h"

#undef OSIISO_INSIDE
