// SPDX-License-Identifier: LGPL-2.1-or-later

// Hashes and classifies all files below a folder, and stores what it finds in an SQLite
// database: the main job of examples/index, without the pictures, in Vala.
//
// Two queues overlap: one lists folders in this thread, the other reads files in
// threads. What comes of both arrives here, in the main thread, so the database and the
// counts need no locks.

class Index : Object {
    private Walk walk;
    private Hashing hashing;
    private Store store;

    private uint64 files;
    private uint64 bytes;
    private uint64 failures;
    private bool stopped;
    private Error? error;   // why the job cannot be done

    public Index (string database, uint workers) throws Error {
        store = new Store (database);
        hashing = new Hashing (workers);
        walk = new Walk (hashing);
        hashing.hashed.connect (on_hashed);
        hashing.failed.connect ((path, error, attempts) => note_failure (path, error, attempts));
        walk.failed.connect ((path, error) => note_failure (path, error, 1));
    }

    // Returns the exit status.
    public async int run (File folder) throws Error {
        hash.begin ();
        yield walk.run (folder);
        yield hashing.finish ();
        if (error != null)
            throw error;
        store.finish ();
        print ("%s files, %s bytes, %s folders, %s failed%s\n", files.to_string (), bytes.to_string (),
               walk.folders.to_string (), failures.to_string (), stopped ? ", stopped" : "");
        if (stopped)
            return 130;
        return failures == 0 ? 0 : 1;
    }

    public void stop () {
        stopped = true;
        walk.cancel ();
        hashing.cancel ();
    }

    // The run of a queue whose end is that it is shut down.
    private async void hash () {
        try {
            yield hashing.run ();
        } catch (Error error) {
            fail (error);
        }
    }

    private void on_hashed (Variant row) {
        files++;
        bytes += row.get_child_value (1).get_uint64 ();
        try {
            store.add_file (row);
        } catch (Error error) {
            fail (error);
        }
    }

    private void note_failure (string path, Error failure, uint attempts) {
        failures++;
        try {
            store.add_failure (path, failure.message, attempts);
        } catch (Error error) {
            fail (error);
        }
    }

    private void fail (Error error) {
        if (this.error == null)
            this.error = error;
        stop ();
    }
}

class IndexApplication : Object {
    private static string database = "index.db";
    private static int workers = 0;

    private const OptionEntry[] ENTRIES = {
        { "database", 'd', OptionFlags.NONE, OptionArg.FILENAME, ref database, "Where to store it (index.db)", "FILE" },
        { "workers", 'w', OptionFlags.NONE, OptionArg.INT, ref workers, "How many files to read at a time", "N" },
        { null }
    };

    public static int main (string[] args) {
        var loop = new MainLoop ();
        var status = 2;

        try {
            var context = new OptionContext ("FOLDER");

            context.add_main_entries (ENTRIES, null);
            context.parse (ref args);
            if (args.length != 2 || workers < 0)
                throw new OptionError.FAILED ("one folder is wanted, and a number of workers that is not below 0; see --help");

            var index = new Index (database, workers);

            Unix.signal_add (ProcessSignal.INT, () => {
                index.stop ();
                return Source.CONTINUE;
            });
            index.run.begin (File.new_for_commandline_arg (args[1]), (source, result) => {
                try {
                    status = index.run.end (result);
                } catch (Error error) {
                    printerr ("%s\n", error.message);
                }
                loop.quit ();
            });
            loop.run ();
        } catch (Error error) {
            printerr ("%s\n", error.message);
        }
        return status;
    }
}
