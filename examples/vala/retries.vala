// SPDX-License-Identifier: LGPL-2.1-or-later

// A group of tasks that fail now and then, and are tried again.

delegate void ThrowingFunc (Osiiso.Attempt attempt) throws Error;

// A task that throws: the error is what its attempt ends with.
Osiiso.TaskFunc throwing (owned ThrowingFunc func) {
    return (attempt) => {
        try {
            func (attempt);
        } catch (Error error) {
            attempt.return_error ((owned) error);
        }
    };
}

// A server that has time for nobody at first, and does not know everything.
string ask (string question, uint times) throws Error {
    if (question == "why")
        throw new IOError.NOT_FOUND ("nobody knows %s", question);
    if (times < question.length)
        throw new IOError.BUSY ("too many questions");
    return @"$question is answered";
}

void answer_all (string[] questions) throws Error {
    var queue = new Osiiso.Queue ("thread-pool") { workers = 4 };
    var options = new Osiiso.TaskOptions () {
        retries = 5, retry_delay = 0.01, backoff = 2, jitter = 0.5, timeout = 5
    };
    // There is no sense in asking again for what is not there.
    options.never_retry_on (new IOError.NOT_FOUND ("").domain, IOError.NOT_FOUND);

    var retries = 0;
    queue.on_retry.connect ((handle, error) => retries++);

    var group = queue.new_group ("questions");
    foreach (unowned var question in questions) {
        var own = question;
        options.name = own;
        group.submit (throwing ((attempt) => attempt.return_string (ask (own, attempt.get_number ()))), options);
    }
    var summary = queue.run ();

    foreach (var handle in group) {
        if (handle.status == Osiiso.Status.SUCCEEDED)
            print ("%s, after %u attempts\n", handle.get_value ().get_string (), handle.attempts);
        else
            print ("%s: %s, after %u\n", handle.name, handle.dup_error ().message, handle.attempts);
    }
    print ("%u of %u, with %d retries\n", (uint) summary.succeeded, (uint) summary.total_submitted, retries);
}

int main () {
    try {
        answer_all ({ "who", "what", "why", "where" });
        return 0;
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
}
