// SPDX-License-Identifier: LGPL-2.1-or-later

// All use of a database in one thread, which is not the main one: the backend is the
// plugin of out-of-tree-plugin/, found like any other. The database needs no lock, and
// whoever waits for an answer is not blocked.

class Notes : Object {
    private Osiiso.Queue queue;
    private Sqlite.Database db;     // of the backend's thread

    public Notes () throws Error {
        queue = new Osiiso.Queue ("context-thread");
        // Called in that thread, before the first task.
        queue.set_initializer (() => {
            if (Sqlite.Database.open (":memory:", out db) != Sqlite.OK ||
                db.exec ("CREATE TABLE notes (text TEXT)") != Sqlite.OK)
                throw new IOError.FAILED ("no database: %s", db.errmsg ());
            return true;
        });
        queue.start ();
    }

    public async void add (string text) throws Error {
        var handle = queue.submit ((attempt) => {
            Sqlite.Statement statement;

            db.prepare_v2 ("INSERT INTO notes VALUES (?)", -1, out statement);
            statement.bind_text (1, text);
            if (statement.step () != Sqlite.DONE)
                attempt.return_error (new IOError.FAILED ("%s", db.errmsg ()));
        });
        yield handle.wait_async ();
        if (handle.dup_error () != null)
            throw handle.dup_error ();
    }

    public async int64 count () throws Error {
        var handle = queue.submit ((attempt) => {
            Sqlite.Statement statement;

            db.prepare_v2 ("SELECT count(*) FROM notes", -1, out statement);
            statement.step ();
            attempt.return_int (statement.column_int64 (0));
        });
        yield handle.wait_async ();
        return handle.get_value ().get_int64 ();
    }

    public async void close () throws Error {
        yield queue.shutdown_async ();
    }
}

async void take_notes () throws Error {
    var notes = new Notes ();

    for (var i = 0; i < 100; i++)
        yield notes.add (@"note $i");
    print ("%s notes\n", (yield notes.count ()).to_string ());
    yield notes.close ();
}

int main () {
    var loop = new MainLoop ();
    var status = 0;

    take_notes.begin ((source, result) => {
        try {
            take_notes.end (result);
        } catch (Error error) {
            printerr ("%s\n", error.message);
            status = 1;
        }
        loop.quit ();
    });
    loop.run ();
    return status;
}
