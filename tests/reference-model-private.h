/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reference-model.h"

G_BEGIN_DECLS

#define WRONG(self, what) ((self)->mutation == (what))

void     ref_outcome_set             (RefOutcome       *outcome,
                                      GQuark            domain,
                                      int               code,
                                      const char       *message);
void     ref_outcome_copy            (RefOutcome       *to,
                                      const RefOutcome *from);
void     ref_submission_free         (gpointer          submission);
gboolean ref_task_is_final           (const RefTask    *task);
void     ref_task_set_deadline_error (RefTask          *task);
void     ref_model_add_event         (RefModel         *self,
                                      RefEventKind      kind,
                                      RefTask          *task,
                                      int               code);

OsiisoFailPolicy ref_model_get_fail_policy (RefModel *self);

/* What follows when a task has ended, or room has become free. */
void     ref_model_check_idle        (RefModel         *self);
void     ref_model_serve_line        (RefModel         *self);
guint    ref_model_end_overdue       (RefModel         *self);
void     ref_model_end_task          (RefModel         *self,
                                      RefTask          *task,
                                      OsiisoStatus      status,
                                      guint             batch);
/* The attempt is over with what is in task->outcome. */
void     ref_model_end_attempt       (RefModel         *self,
                                      RefTask          *task,
                                      gboolean          timed_out);
/* Cancels everything, or what need not complete, and takes no more. */
void     ref_model_abort             (RefModel         *self,
                                      gboolean          must_complete_too);

G_END_DECLS
