// SPDX-License-Identifier: LGPL-2.1-or-later

// Counts the words of files in worker processes. One that crashes takes nothing along
// but its task.

int main (string[] args) {
    try {
        // Found in OSIISO_MODULE_PATH, or where modules are installed.
        var queue = new Osiiso.Queue ("subprocess") { workers = 2 };
        var group = queue.new_group ("files");

        foreach (unowned var path in args[1:]) {
            group.submit_call ("words:words_count", new Variant.string (path),
                               new Osiiso.TaskOptions () { name = path, timeout = 30 });
        }
        var summary = queue.run ();

        foreach (var handle in group) {
            if (handle.status == Osiiso.Status.SUCCEEDED)
                print ("%u %s\n", handle.get_value ().dup_variant ().get_uint32 (), handle.name);
            else
                print ("- %s\n", handle.name);
        }
        return summary.ok ? 0 : 1;
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 2;
    }
}
