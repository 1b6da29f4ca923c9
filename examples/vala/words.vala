// SPDX-License-Identifier: LGPL-2.1-or-later

// A module with a function that is called by its name, so that it can run in another
// process: see processes.vala.

public Variant? words_count (Osiiso.Attempt attempt, Variant? args) throws Error {
    string text;
    uint32 words = 0;

    FileUtils.get_contents (args.get_string (), out text);
    foreach (unowned var word in text.split_set (" \t\n\f\r\v")) {
        if (word != "")
            words++;
        attempt.get_cancellable ().set_error_if_cancelled ();
    }
    return new Variant.uint32 (words);
}
