// SPDX-License-Identifier: LGPL-2.1-or-later

// Lists a tree with asynchronous GIO, in the main thread: a task of a queue on the
// backend "main-loop" lists one folder, and adds a task for each folder that it finds.
// The queue sees to it that no more folders are open than it has workers.

class Walk : Object {
    public signal void failed (string path, Error error);

    private const string ATTRIBUTES = FileAttribute.STANDARD_NAME + "," + FileAttribute.STANDARD_TYPE;
    private const int BATCH = 256;

    public uint64 folders { get; private set; }

    private Osiiso.Queue queue;
    private Hashing hashing;

    public Walk (Hashing hashing) throws Error {
        this.hashing = hashing;
        queue = new Osiiso.Queue ("main-loop") { keep_results = false };
        queue.on_complete.connect (on_complete);
    }

    public async void run (File top) throws Error {
        push (top);
        yield queue.run_async ();
    }

    public void cancel () {
        queue.cancel ();
    }

    private void push (File folder) throws Error {
        // Names of files are bytes; those of tasks are for people.
        queue.push ((attempt) => list.begin (attempt.defer (), folder), new Osiiso.TaskOptions () {
            name = Filename.display_name (folder.get_path ()), metadata = new Variant.bytestring (folder.get_path ())
        });
    }

    private async void list (owned Osiiso.Attempt attempt, File folder) {
        var cancellable = attempt.get_cancellable ();

        try {
            var children = yield folder.enumerate_children_async (ATTRIBUTES, FileQueryInfoFlags.NOFOLLOW_SYMLINKS,
                                                                  Priority.DEFAULT, cancellable);
            for (;;) {
                var infos = yield children.next_files_async (BATCH, Priority.DEFAULT, cancellable);

                if (infos == null)
                    break;
                foreach (var info in infos) {
                    var child = folder.get_child (info.get_name ());

                    if (info.get_file_type () == FileType.DIRECTORY)
                        push (child);
                    else if (info.get_file_type () == FileType.REGULAR)
                        // Waits when so much is waiting already, and the walk with it.
                        yield hashing.add (child, cancellable);
                }
            }
        } catch (Error error) {
            attempt.return_error ((owned) error);
        }
        // Nothing was reported otherwise, so it would count as abandoned.
        attempt.return_none ();
    }

    private void on_complete (Osiiso.Handle handle) {
        if (handle.status == Osiiso.Status.SUCCEEDED)
            folders++;
        else if (handle.status == Osiiso.Status.FAILED)
            failed (handle.metadata.get_bytestring (), handle.dup_error ());
    }
}
