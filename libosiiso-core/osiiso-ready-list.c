/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "osiiso-ready-list-private.h"

void
osiiso_ready_list_init (OsiisoReadyList *self)
{
  for (guint i = 0; i < OSIISO_N_LEVELS; i++)
    self->levels[i].next = self->levels[i].prev = &self->levels[i];
  for (guint i = 0; i < G_N_ELEMENTS (self->bitmap); i++)
    self->bitmap[i] = 0;
}

static inline guint
level_of (OsiisoRecord *record)
{
  return (guint) (osiiso_word_get_priority (osiiso_record_get_word (record)) + 128);
}

void
osiiso_ready_list_append (OsiisoReadyList *self,
                          OsiisoRecord    *record)
{
  guint level = level_of (record);
  OsiisoLink *list = &self->levels[level];

  record->link.next = list;
  record->link.prev = list->prev;
  list->prev->next = &record->link;
  list->prev = &record->link;
  self->bitmap[level / 64] |= G_GUINT64_CONSTANT (1) << (level % 64);
}

OsiisoRecord *
osiiso_ready_list_peek (OsiisoReadyList *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->bitmap); i++)
    {
      while (self->bitmap[i] != 0)
        {
          guint bit = (guint) __builtin_ctzll (self->bitmap[i]);
          OsiisoLink *list = &self->levels[i * 64 + bit];

          if (list->next != list)
            {
              /* Who takes this one will come for that. */
              __builtin_prefetch (list->next->next, 1);
              return OSIISO_RECORD_FROM_LINK (list->next);
            }
          self->bitmap[i] &= ~(G_GUINT64_CONSTANT (1) << bit);
        }
    }
  return NULL;
}

void
osiiso_ready_list_remove (OsiisoRecord *record)
{
  record->link.prev->next = record->link.next;
  record->link.next->prev = record->link.prev;
  record->link.next = record->link.prev = NULL;
}

void
osiiso_ready_list_splice (OsiisoReadyList *self,
                          OsiisoReadyList *from)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->bitmap); i++)
    {
      guint64 bits = from->bitmap[i];

      from->bitmap[i] = 0;
      self->bitmap[i] |= bits;
      while (bits != 0)
        {
          guint level = i * 64 + (guint) __builtin_ctzll (bits);
          OsiisoLink *source = &from->levels[level];
          OsiisoLink *list = &self->levels[level];

          bits &= bits - 1;
          if (source->next == source)
            continue;
          source->next->prev = list->prev;
          list->prev->next = source->next;
          source->prev->next = list;
          list->prev = source->prev;
          source->next = source->prev = source;
        }
    }
}
