// SPDX-License-Identifier: LGPL-2.1-or-later

// An application without windows that hashes files and shows a list of them as it
// changes. The list is the group itself, which is a GListModel of handles: in GTK it
// would be given to a Gtk.ColumnView as it is.

class HashApplication : Application {
    private Osiiso.Queue queue;
    private Osiiso.Group? group;
    private int status = 0;

    public HashApplication () {
        Object (application_id: null, flags: ApplicationFlags.NON_UNIQUE | ApplicationFlags.HANDLES_OPEN);
    }

    public override void open (File[] files, string hint) {
        hash_all.begin (files);
    }

    // Runs in a thread of the pool.
    private static void hash (Osiiso.Attempt attempt, File file) {
        try {
            var checksum = new Checksum (ChecksumType.SHA256);
            var stream = file.read (attempt.get_cancellable ());
            var size = stream.query_info (FileAttribute.STANDARD_SIZE).get_size ();
            var buffer = new uint8[256 * 1024];
            uint64 done = 0;
            size_t n;

            while ((n = stream.read (buffer, attempt.get_cancellable ())) > 0) {
                checksum.update (buffer, n);
                done += n;
                attempt.set_progress ((double) done / size);
            }
            attempt.return_string (checksum.get_string ());
        } catch (Error error) {
            attempt.return_error ((owned) error);
        }
    }

    private async void hash_all (File[] files) {
        // Otherwise the application would end, because it has no window.
        hold ();
        try {
            queue = new Osiiso.Queue ("thread-pool");
            group = queue.new_group ("hashes");
            group.items_changed.connect (on_items_changed);
            foreach (var file in files) {
                group.submit ((attempt) => hash (attempt, file),
                              new Osiiso.TaskOptions () { name = file.get_path () });
            }
            var summary = yield queue.run_async ();

            print ("%s\n", summary.ok ? "all is well" : @"$(summary.failed) failed");
            status = summary.ok ? 0 : 1;
        } catch (Error error) {
            printerr ("%s\n", error.message);
            status = 2;
        }
        release ();
    }

    // What a view does: watch the rows that have come.
    private void on_items_changed (uint position, uint removed, uint added) {
        for (var i = position; i < position + added; i++) {
            var handle = (Osiiso.Handle) group.get_item (i);

            handle.notify["finished"].connect (() => show_row (handle));
            print ("row %u: %s\n", i, handle.name);
        }
    }

    // Handlers come in the main thread, whatever thread the task runs in.
    private void show_row (Osiiso.Handle handle) {
        if (handle.status == Osiiso.Status.SUCCEEDED)
            print ("%s: %s\n", handle.name, handle.get_value ().get_string ());
        else
            print ("%s: %s\n", handle.name, handle.dup_error ().message);
    }

    public static int main (string[] args) {
        var application = new HashApplication ();
        var result = application.run (args);

        return result != 0 ? result : application.status;
    }
}
