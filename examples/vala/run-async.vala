// SPDX-License-Identifier: LGPL-2.1-or-later

// Counts the lines of files, without a thread and without blocking: each task is an
// asynchronous function, and so is what waits for them.

// The attempt is deferred: it goes on after the function of the task has returned, and
// ends with what is reported on it here.
async void count_lines (owned Osiiso.Attempt attempt, File file) {
    try {
        var stream = new DataInputStream (yield file.read_async (Priority.DEFAULT, attempt.get_cancellable ()));
        var lines = 0;

        while ((yield stream.read_line_async (Priority.DEFAULT, attempt.get_cancellable ())) != null)
            lines++;
        attempt.return_int (lines);
    } catch (Error error) {
        attempt.return_error ((owned) error);
    }
}

async int count_all (string[] paths) throws Error {
    var queue = new Osiiso.Queue ("main-loop") { workers = 16 };
    var group = queue.new_group ("files");

    foreach (unowned var path in paths) {
        var file = File.new_for_commandline_arg (path);

        group.submit ((attempt) => count_lines.begin (attempt.defer (), file),
                      new Osiiso.TaskOptions () { name = path, timeout = 10 });
    }
    var summary = yield queue.run_async ();

    // In the order of the arguments; next_completed_async () gives the order of the ends.
    foreach (var handle in group) {
        if (handle.status == Osiiso.Status.SUCCEEDED)
            print ("%s %s\n", handle.get_value ().get_int64 ().to_string (), handle.name);
        else
            print ("- %s\n", handle.name);
    }
    return summary.ok ? 0 : 1;
}

int main (string[] args) {
    var loop = new MainLoop ();
    var status = 2;

    count_all.begin (args[1:], (source, result) => {
        try {
            status = count_all.end (result);
        } catch (Error error) {
            printerr ("%s\n", error.message);
        }
        loop.quit ();
    });
    loop.run ();
    return status;
}
