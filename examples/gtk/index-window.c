/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "index-window.h"

#include <osiiso.h>

#include "folder-work.h"

/* How often the totals are told, in milliseconds. */
#define TICK 250

/* All of it belongs to the main thread. */
struct _IndexWindow
{
  AdwApplicationWindow parent_instance;

  AdwToastOverlay     *toasts;
  GtkStack            *stack;
  GtkLabel            *totals;
  GtkProgressBar      *bar;
  GtkColumnView       *view;
  GtkColumnViewColumn *outcome;
  GtkColumnViewColumn *action;
  GtkSpinButton       *workers;

  OsiisoQueue  *queue; /* (owned) */
  OsiisoGroup  *group; /* (nullable) (owned) */
  OsiisoHandle *walk;  /* (nullable) (owned): the task that finds the files */
  gint64        began; /* monotonic time */
  guint         tick;  /* the source that tells the totals, or 0 */
};

G_DEFINE_FINAL_TYPE (IndexWindow, index_window, ADW_TYPE_APPLICATION_WINDOW)

static char *
format_outcome (OsiisoHandle *handle)
{
  const GValue *value = osiiso_handle_get_value (handle);
  g_autoptr (GError) error = osiiso_handle_dup_error (handle);

  if (value != NULL && G_VALUE_HOLDS_STRING (value))
    return g_value_dup_string (value);
  if (error != NULL && osiiso_handle_get_status (handle) == OSIISO_STATUS_FAILED)
    return g_strdup (error->message);
  switch (osiiso_handle_get_status (handle))
    {
    case OSIISO_STATUS_RUNNING:
      return g_strdup ("Running");
    case OSIISO_STATUS_RETRYING:
      return g_strdup ("Waiting for another attempt");
    case OSIISO_STATUS_CANCELLED:
      return g_strdup ("Cancelled");
    case OSIISO_STATUS_PENDING:
    case OSIISO_STATUS_SUCCEEDED:
    case OSIISO_STATUS_FAILED:
    default:
      return g_strdup ("Waiting");
    }
}

/* Outcome and action follow the status of the row's handle. */
static void
on_status_outcome (OsiisoHandle *handle,
                   GParamSpec   *pspec,
                   GtkListItem  *item)
{
  g_autofree char *text = format_outcome (handle);

  gtk_label_set_label (GTK_LABEL (gtk_list_item_get_child (item)), text);
}

static void
on_status_action (OsiisoHandle *handle,
                  GParamSpec   *pspec,
                  GtkListItem  *item)
{
  GtkWidget *button = gtk_list_item_get_child (item);

  gtk_button_set_label (GTK_BUTTON (button), osiiso_handle_is_done (handle) ? "Retry" : "Cancel");
  gtk_widget_set_visible (button, osiiso_handle_get_status (handle) != OSIISO_STATUS_SUCCEEDED);
}

static void
on_setup_outcome (GtkSignalListItemFactory *factory,
                  GtkListItem              *item)
{
  gtk_list_item_set_child (item, g_object_new (GTK_TYPE_LABEL, "xalign", 0.0, "ellipsize", PANGO_ELLIPSIZE_END, NULL));
}

static void
on_button (GtkButton   *button,
           GtkListItem *item)
{
  IndexWindow *self = INDEX_WINDOW (gtk_widget_get_root (GTK_WIDGET (button)));
  OsiisoHandle *handle = gtk_list_item_get_item (item);

  if (handle == NULL)
    return;
  if (!osiiso_handle_is_done (handle))
    osiiso_handle_cancel (handle);
  else
    gtk_widget_activate_action (GTK_WIDGET (self), "win.retry", "t", osiiso_handle_get_task_id (handle));
}

static void
on_setup_action (GtkSignalListItemFactory *factory,
                 GtkListItem              *item)
{
  GtkWidget *button = gtk_button_new ();

  gtk_widget_add_css_class (button, "flat");
  gtk_list_item_set_child (item, button);
  g_signal_connect (button, "clicked", G_CALLBACK (on_button), item);
}

static void
on_bind (GtkSignalListItemFactory *factory,
         GtkListItem              *item,
         gpointer                  on_status)
{
  OsiisoHandle *handle = gtk_list_item_get_item (item);

  g_signal_connect (handle, "notify::status", G_CALLBACK (on_status), item);
  ((void (*) (OsiisoHandle *, GParamSpec *, GtkListItem *)) on_status) (handle, NULL, item);
}

static void
on_unbind (GtkSignalListItemFactory *factory,
           GtkListItem              *item,
           gpointer                  on_status)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (item), on_status, item);
}

static void
set_factory (GtkColumnViewColumn *column,
             GCallback            on_setup,
             GCallback            on_status)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();

  g_signal_connect (factory, "setup", on_setup, NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (on_bind), on_status);
  g_signal_connect (factory, "unbind", G_CALLBACK (on_unbind), on_status);
  gtk_column_view_column_set_factory (column, factory);
  g_object_unref (factory);
}

static char *
format_totals (IndexWindow *self,
               guint        done,
               guint        n)
{
  double seconds = (g_get_monotonic_time () - self->began) / (double) G_USEC_PER_SEC;
  double left = done > 0 ? seconds * (n - done) / done : 0;
  gboolean walking = self->walk != NULL && !osiiso_handle_is_done (self->walk);

  if (osiiso_queue_get_paused (self->queue))
    return g_strdup_printf ("%u of %u files, paused", done, n);
  if (walking || done == 0)
    return g_strdup_printf ("%u of %u files so far, %.0f per second", done, n, seconds > 0 ? done / seconds : 0);
  return g_strdup_printf ("%u of %u files, %.0f per second, %.0f seconds left", done, n, done / seconds, left);
}

static void
tell (IndexWindow *self,
      const char  *text)
{
  gtk_label_set_label (self->totals, text);
  gtk_window_set_title (GTK_WINDOW (self), text);
}

static gboolean
on_tick (gpointer user_data)
{
  IndexWindow *self = user_data;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->group));
  guint done = osiiso_group_get_n_finished (self->group);
  g_autofree char *text = format_totals (self, done, n);

  tell (self, text);
  gtk_progress_bar_set_fraction (self->bar, n > 0 ? (double) done / n : 0);
  return G_SOURCE_CONTINUE;
}

/* All that was to be done is done. */
static void
on_all_done (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  g_autoptr (IndexWindow) self = user_data;
  g_autoptr (OsiisoRunSummary) summary = osiiso_group_wait_finish (OSIISO_GROUP (source), result, NULL);
  g_autofree char *text = NULL;

  /* The window shows another folder by now, or more files of this one. */
  if (summary == NULL || OSIISO_GROUP (source) != self->group || self->tick == 0)
    return;
  on_tick (self);
  g_clear_handle_id (&self->tick, g_source_remove);
  text = g_strdup_printf ("%" G_GUINT64_FORMAT " files, %" G_GUINT64_FORMAT " failed, %" G_GUINT64_FORMAT " cancelled",
                          osiiso_run_summary_get_total_submitted (summary), osiiso_run_summary_get_failed (summary),
                          osiiso_run_summary_get_cancelled (summary));
  tell (self, text);
  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (text));
}

static void
watch (IndexWindow *self)
{
  if (self->tick == 0)
    {
      self->began = g_get_monotonic_time ();
      self->tick = g_timeout_add (TICK, on_tick, self);
    }
  osiiso_group_wait_async (self->group, NULL, on_all_done, g_object_ref (self));
}

static void
tell_error (IndexWindow *self,
            GError      *error)
{
  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (error->message));
}

/* The files are known; before that there may be none to wait for. */
static void
on_walked (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (IndexWindow) self = user_data;
  OsiisoHandle *walk = OSIISO_HANDLE (source);
  g_autoptr (GError) error = osiiso_handle_dup_error (walk);

  if (!osiiso_handle_wait_finish (walk, result, NULL) || walk != self->walk)
    return;
  if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    tell_error (self, error);
  watch (self);
}

void
index_window_open_folder (IndexWindow *self,
                          GFile       *folder)
{
  g_autoptr (GtkNoSelection) selection = NULL;
  g_autoptr (GError) error = NULL;

  if (self->walk != NULL)
    osiiso_handle_cancel (self->walk);
  if (self->group != NULL)
    osiiso_group_cancel (self->group);
  g_clear_object (&self->walk);
  g_set_object (&self->group, NULL);
  g_clear_handle_id (&self->tick, g_source_remove);

  self->group = osiiso_queue_new_group (self->queue, NULL);
  selection = gtk_no_selection_new (g_object_ref (G_LIST_MODEL (self->group)));
  gtk_column_view_set_model (self->view, GTK_SELECTION_MODEL (selection));
  gtk_stack_set_visible_child_name (self->stack, "files");
  self->began = g_get_monotonic_time ();
  self->tick = g_timeout_add (TICK, on_tick, self);

  self->walk = folder_work_begin (self->queue, self->group, g_file_peek_path (folder), &error);
  if (self->walk == NULL)
    tell_error (self, error);
  else
    osiiso_handle_wait_async (self->walk, NULL, on_walked, g_object_ref (self));
}

static void
on_folder_chosen (GtkNativeDialog *dialog,
                  int              response,
                  IndexWindow     *self)
{
  g_autoptr (GFile) folder = NULL;

  if (response == GTK_RESPONSE_ACCEPT)
    folder = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
  if (folder != NULL)
    index_window_open_folder (self, folder);
  g_object_unref (dialog);
}

static void
on_open (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new ("Open Folder", GTK_WINDOW (user_data),
                                                              GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, "_Open", NULL);

  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect (dialog, "response", G_CALLBACK (on_folder_chosen), user_data);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
on_stop (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       user_data)
{
  IndexWindow *self = user_data;

  if (self->walk != NULL)
    osiiso_handle_cancel (self->walk);
  if (self->group != NULL)
    osiiso_group_cancel (self->group);
}

static void
on_retry (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       user_data)
{
  IndexWindow *self = user_data;
  g_autoptr (OsiisoHandle) handle = osiiso_queue_lookup (self->queue, g_variant_get_uint64 (parameter));
  g_autoptr (OsiisoHandle) again = NULL;
  g_autoptr (GError) error = NULL;

  if (handle == NULL || self->group == NULL)
    return;
  again = folder_work_again (self->group, handle, &error);
  if (again == NULL)
    tell_error (self, error);
  else
    watch (self);
}

static const GActionEntry actions[] = {
  { .name = "open", .activate = on_open },
  { .name = "stop", .activate = on_stop },
  { .name = "retry", .activate = on_retry, .parameter_type = "t" },
};

static void
index_window_dispose (GObject *object)
{
  IndexWindow *self = INDEX_WINDOW (object);

  g_clear_handle_id (&self->tick, g_source_remove);
  if (self->queue != NULL)
    osiiso_queue_cancel (self->queue);
  g_clear_object (&self->walk);
  g_clear_object (&self->group);
  g_clear_object (&self->queue);

  G_OBJECT_CLASS (index_window_parent_class)->dispose (object);
}

static void
index_window_class_init (IndexWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = index_window_dispose;

  /* The rows of the template look their texts up in handles. */
  g_type_ensure (OSIISO_TYPE_HANDLE);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/osiiso/FolderIndex/index-window.ui");
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, totals);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, bar);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, view);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, outcome);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, action);
  gtk_widget_class_bind_template_child (widget_class, IndexWindow, workers);
}

static void
index_window_init (IndexWindow *self)
{
  g_autoptr (GPropertyAction) pause = NULL;
  g_autoptr (GError) error = NULL;

  gtk_widget_init_template (GTK_WIDGET (self));
  set_factory (self->outcome, G_CALLBACK (on_setup_outcome), G_CALLBACK (on_status_outcome));
  set_factory (self->action, G_CALLBACK (on_setup_action), G_CALLBACK (on_status_action));
  g_action_map_add_action_entries (G_ACTION_MAP (self), actions, G_N_ELEMENTS (actions), self);

  self->queue = osiiso_queue_new ("thread-pool", &error);
  if (self->queue == NULL || !osiiso_queue_start (self->queue, &error))
    g_error ("%s", error->message);
  pause = g_property_action_new ("pause", self->queue, "paused");
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (pause));
  g_object_bind_property (self->workers, "value", self->queue, "workers", G_BINDING_SYNC_CREATE);
}

IndexWindow *
index_window_new (AdwApplication *application)
{
  return g_object_new (INDEX_TYPE_WINDOW, "application", application, NULL);
}
