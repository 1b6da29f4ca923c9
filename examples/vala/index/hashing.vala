// SPDX-License-Identifier: LGPL-2.1-or-later

// Hashes files in the threads of the backend "thread-pool". A task shares nothing with
// the rest of the program: a file comes in, a Variant goes out.

class Hashing : Object {
    // path (bytes with a nul), size, modification time in seconds since 1970, SHA-256,
    // content type
    public const string ROW = "(^aytxss)";

    public signal void hashed (Variant row);
    public signal void failed (string path, Error error, uint attempts);

    // How many files may wait: this bounds the memory, whatever the size of the tree.
    private const int AHEAD = 4096;
    private const int CHUNK = 256 * 1024;
    private const string ATTRIBUTES = FileAttribute.STANDARD_SIZE + "," + FileAttribute.TIME_MODIFIED;

    private Osiiso.Queue queue;

    public Hashing (uint workers) throws Error {
        queue = new Osiiso.Queue ("thread-pool") {
            workers = workers, size = AHEAD, keep_results = false,
            // While the walk goes on there may be nothing to do for a moment.
            mode = Osiiso.Mode.INFINITE
        };
        queue.on_complete.connect (on_complete);
    }

    public async void run () throws Error {
        yield queue.run_async ();
    }

    // There is nothing more to come.
    public async void finish () throws Error {
        yield queue.shutdown_async ();
    }

    public void cancel () {
        queue.cancel ();
    }

    public async void add (File file, Cancellable? cancellable) throws Error {
        var options = new Osiiso.TaskOptions () {
            name = Filename.display_name (file.get_path ()), metadata = new Variant.bytestring (file.get_path ()),
            retries = 2, retry_delay = 0.05, backoff = 2
        };

        // To try again is no use.
        options.never_retry_on (new IOError.NOT_FOUND ("").domain, IOError.NOT_FOUND);
        options.never_retry_on (new IOError.PERMISSION_DENIED ("").domain, IOError.PERMISSION_DENIED);
        yield queue.submit_async ((attempt) => hash (attempt, file), options, cancellable);
    }

    // In a thread of the pool.
    private static void hash (Osiiso.Attempt attempt, File file) {
        try {
            attempt.return_variant (read (attempt, file));
        } catch (Error error) {
            attempt.return_error ((owned) error);
        }
    }

    private static Variant read (Osiiso.Attempt attempt, File file) throws Error {
        var cancellable = attempt.get_cancellable ();
        var stream = file.read (cancellable);
        var info = stream.query_info (ATTRIBUTES, cancellable);
        var checksum = new Checksum (ChecksumType.SHA256);
        var buffer = new uint8[CHUNK];
        var content_type = "";
        uint64 size = 0;
        size_t n = 0;

        do {
            stream.read_all (buffer, out n, cancellable);
            if (size == 0)
                content_type = ContentType.guess (file.get_path (), buffer[0:n], null);
            checksum.update (buffer, n);
            size += n;
            if (info.get_size () > 16 * CHUNK)
                attempt.set_progress (double.min ((double) size / info.get_size (), 1));
        } while (n == CHUNK);
        return new Variant (ROW, file.get_path (), size, info.get_modification_date_time ().to_unix (),
                            checksum.get_string (), content_type);
    }

    // In the main thread again.
    private void on_complete (Osiiso.Handle handle) {
        if (handle.status == Osiiso.Status.SUCCEEDED)
            // Not get_variant (), which valac takes for one that gives a reference.
            hashed (handle.get_value ().dup_variant ());
        else if (handle.status == Osiiso.Status.FAILED)
            failed (handle.metadata.get_bytestring (), handle.dup_error (), handle.attempts);
    }
}
