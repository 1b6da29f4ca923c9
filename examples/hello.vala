// SPDX-License-Identifier: LGPL-2.1-or-later
int main () {
    try {
        var queue = new Osiiso.Queue ("thread-pool");
        var options = new Osiiso.TaskOptions () { retries = 2, timeout = 5 };
        var group = queue.map (5, (attempt) => {
            var index = attempt.get_index ();
            attempt.return_int (index * index);
        }, options);
        queue.run ().check ();
        for (var i = 0; i < 5; i++)
            print ("%s\n", group.get_handle (i).get_value ().get_int64 ().to_string ());
        return 0;
    } catch (Error e) {
        printerr ("%s\n", e.message);
        return 1;
    }
}
