// SPDX-License-Identifier: LGPL-2.1-or-later

// The SQLite database that the rows go to. Only the main thread uses it.

class Store : Object {
    private const string SCHEMA = """
        CREATE TABLE IF NOT EXISTS files (
          path BLOB PRIMARY KEY NOT NULL,
          name TEXT NOT NULL,
          size INTEGER NOT NULL,
          mtime INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          content_type TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS failures (
          path BLOB PRIMARY KEY NOT NULL,
          name TEXT NOT NULL,
          message TEXT NOT NULL,
          attempts INTEGER NOT NULL
        ) WITHOUT ROWID;
        DELETE FROM files;
        DELETE FROM failures;
        """;
    private const int BATCH = 1000;

    // Freed in this order.
    private Sqlite.Statement insert_file;
    private Sqlite.Statement insert_failure;
    private Sqlite.Database db;
    private int pending = 0;

    public Store (string filename) throws Error {
        if (Sqlite.Database.open (filename, out db) != Sqlite.OK)
            throw new IOError.FAILED ("Database '%s': %s", filename, db.errmsg ());
        execute (SCHEMA);
        insert_file = prepare ("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)");
        insert_failure = prepare ("INSERT INTO failures VALUES (?, ?, ?, ?)");
        execute ("BEGIN");
    }

    public void add_file (Variant row) throws Error {
        unowned string path = row.get_child_value (0).get_bytestring ();

        bind_path (insert_file, path);
        insert_file.bind_int64 (3, (int64) row.get_child_value (1).get_uint64 ());
        insert_file.bind_int64 (4, row.get_child_value (2).get_int64 ());
        insert_file.bind_text (5, row.get_child_value (3).get_string ());
        insert_file.bind_text (6, row.get_child_value (4).get_string ());
        insert (insert_file);
    }

    public void add_failure (string path, string message, uint attempts) throws Error {
        bind_path (insert_failure, path);
        insert_failure.bind_text (3, message);
        insert_failure.bind_int (4, (int) attempts);
        insert (insert_failure);
    }

    public void finish () throws Error {
        execute ("COMMIT");
    }

    // The bytes are the key; the name is the same for people.
    private static void bind_path (Sqlite.Statement statement, string path) {
        statement.bind_blob (1, Memory.dup2 (path, path.length), path.length, GLib.free);
        statement.bind_text (2, Filename.display_name (path));
    }

    private void insert (Sqlite.Statement statement) throws Error {
        if (statement.step () != Sqlite.DONE)
            throw new IOError.FAILED ("%s", db.errmsg ());
        statement.reset ();
        if (++pending >= BATCH) {
            pending = 0;
            execute ("COMMIT; BEGIN");
        }
    }

    private Sqlite.Statement prepare (string sql) throws Error {
        Sqlite.Statement statement;

        if (db.prepare_v2 (sql, -1, out statement) != Sqlite.OK)
            throw new IOError.FAILED ("%s", db.errmsg ());
        return statement;
    }

    private void execute (string sql) throws Error {
        if (db.exec (sql) != Sqlite.OK)
            throw new IOError.FAILED ("%s", db.errmsg ());
    }
}
