// SPDX-License-Identifier: LGPL-2.1-or-later
// Uses the library through the vapi.

const string[] BACKENDS = { "main-loop", "thread-pool" };
// Nothing here takes this long; a wait that does has gone wrong.
const double LONG = 60;

// What went wrong in a callback that cannot throw.
void unexpected (Error error) {
    Test.message ("%s", error.message);
    assert_not_reached ();
}

void assert_error (Error? error, Quark domain, int code, string? message = null) {
    assert_true (error != null);
    assert_true (error.matches (domain, code));
    if (message != null)
        assert_cmpstr (error.message, CompareOperator.EQ, message);
}

void assert_strings (string[] found, string[] expected) {
    assert_cmpstr (string.joinv (" ", found), CompareOperator.EQ, string.joinv (" ", expected));
}

Quark io_error () {
    return new IOError.FAILED ("").domain;
}

void settle () {
    while (MainContext.default ().iteration (false));
}

void return_index (Osiiso.Attempt attempt) {
    attempt.return_int (attempt.get_index ());
}

void fail (Osiiso.Attempt attempt) {
    attempt.return_error (new IOError.BUSY ("busy"));
}

// The three signals of a queue, as words.
class Events : Object {
    public string[] seen = {};
    public Error? error;
    public unowned Thread<void*> thread = Thread.self<void*> ();

    public Events (Osiiso.Queue queue) {
        queue.on_start.connect (handle => note ("start", handle));
        queue.on_complete.connect (handle => note ("complete", handle));
        queue.on_retry.connect ((handle, error) => {
            note ("retry", handle);
            this.error = error;
        });
    }

    void note (string kind, Osiiso.Handle handle) {
        assert_true (thread == Thread.self<void*> ());
        seen += @"$kind:$(handle.name)";
    }

    // Those of one task.
    public string[] of (Osiiso.Handle handle) {
        string[] mine = {};
        foreach (unowned var word in seen) {
            if (word.has_suffix (@":$(handle.name)"))
                mine += word.split (":")[0];
        }
        return mine;
    }
}

// ---- Submitting

void test_submit (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var ten = 10;
    var handle = queue.submit (attempt => attempt.return_int (ten));
    assert_true (handle.status == Osiiso.Status.PENDING);
    assert_true (handle.get_value () == null);
    assert_true (handle.dup_error () == null);
    assert_null (handle.dup_result ());
    assert_false (handle.is_done ());
    var summary = queue.run ();
    assert_true (summary.succeeded == 1);
    assert_true (handle.is_done ());
    assert_true (handle.get_value ().get_int64 () == 10);
    assert_true (handle.dup_result ().get_value ().get_int64 () == 10);
}

void test_options (string backend) throws Error {
    var options = new Osiiso.TaskOptions () {
        priority = 1, must_complete = true, timeout = LONG, retries = 3, retry_delay = 0.25, backoff = 2,
        max_retry_delay = 4, jitter = 0.5, name = "name", group_id = "id", detached = true,
        metadata = new Variant ("(si)", "key", 7)
    };
    assert_true (options.validate ());
    var copy = options.copy ();
    assert_true (copy.retries == 3 && copy.backoff == 2 && copy.jitter == 0.5 && copy.max_retry_delay == 4);

    var queue = new Osiiso.Queue (backend);
    var handle = queue.submit (attempt => attempt.return_none (), options);
    options.name = "too late";
    assert_cmpstr (handle.name, CompareOperator.EQ, "name");
    assert_cmpstr (handle.group_id, CompareOperator.EQ, "id");
    assert_cmpint (handle.priority, CompareOperator.EQ, 1);
    assert_true (handle.must_complete && handle.detached);
    assert_cmpint (handle.metadata.get_child_value (1).get_int32 (), CompareOperator.EQ, 7);
    assert_true (queue.run ().total_submitted == 0);
    assert_true (handle.status == Osiiso.Status.SUCCEEDED && handle.attempts == 1);
}

void test_properties_of_queue (string name) throws Error {
    var backend = Osiiso.Backend.create (name);
    var queue = (Osiiso.Queue) Object.new (typeof (Osiiso.Queue), backend: backend, workers: 2, timeout: LONG,
                                           fail_policy: Osiiso.FailPolicy.FAIL_FIRST, keep_results: false);
    assert_true (queue.backend == backend);
    assert_true (queue.workers == 2 && backend.get_workers () == 2);
    assert_true (queue.timeout == LONG && queue.fail_policy == Osiiso.FailPolicy.FAIL_FIRST && !queue.keep_results);
    assert_true (queue.get_context () == MainContext.default ());
}

void test_priority () throws Error {
    var queue = new Osiiso.Queue ("main-loop");
    string[] order = {};
    queue.workers = 1;
    foreach (var priority in new int[] { 3, 9, -1 })
        queue.submit (attempt => order += priority.to_string (), new Osiiso.TaskOptions () { priority = priority });
    var late = queue.submit (attempt => order += "raised");
    assert_true (late.set_priority (Osiiso.PRIORITY_MIN));
    queue.run ();
    assert_strings (order, { "raised", "-1", "3", "9" });
    assert_false (late.set_priority (0));
}

void test_push (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var done = 0;
    var task_id = queue.push (attempt => AtomicInt.inc (ref done), new Osiiso.TaskOptions () { name = "name" });
    var handle = queue.lookup (task_id);
    assert_true (handle.task_id == task_id);
    assert_cmpstr (handle.name, CompareOperator.EQ, "name");
    assert_true (queue.run ().succeeded == 1);
    assert_cmpint (done, CompareOperator.EQ, 1);
    assert_null (queue.lookup (task_id + 1));
}

async void fill (string backend) throws Error {
    var queue = new Osiiso.Queue (backend) { size = 1 };
    queue.pause ();
    var first = queue.try_submit (return_index);
    try {
        queue.try_submit (return_index);
        assert_not_reached ();
    } catch (Osiiso.QueueError.FULL error) {
        assert_cmpstr (error.message, CompareOperator.EQ, "queue is full (1 tasks outstanding)");
    }
    queue.resume ();
    var second = yield queue.submit_async (return_index);
    assert_true (yield queue.join_async ());
    assert_true (first.status == Osiiso.Status.SUCCEEDED && second.status == Osiiso.Status.SUCCEEDED);
    assert_true (queue.try_push (return_index) != 0);
    assert_true (yield queue.join_async ());
}

void test_size (string backend) throws Error {
    fill.end (wait_for (callback => fill.begin (backend, callback)));
}

// ---- Signals

void test_three_signals (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var events = new Events (queue);
    var good = queue.submit (attempt => {
        if (attempt.get_number () == 1)
            fail (attempt);
        else
            attempt.return_string ("done");
    }, new Osiiso.TaskOptions () { retries = 3, name = "good" });
    var bad = queue.submit (fail, new Osiiso.TaskOptions () { name = "bad" });
    queue.run ();

    assert_strings (events.of (good), { "start", "retry", "start", "complete" });
    assert_strings (events.of (bad), { "start", "complete" });
    assert_cmpint (events.seen.length, CompareOperator.EQ, 6);
    assert_error (events.error, io_error (), IOError.BUSY, "busy");
    assert_true (events.error is IOError.BUSY);
    assert_true (good.status == Osiiso.Status.SUCCEEDED && good.attempts == 2);
    assert_true (bad.status == Osiiso.Status.FAILED && bad.attempts == 1);
    assert_error (bad.dup_error (), io_error (), IOError.BUSY, "busy");
    assert_cmpstr (bad.status.to_string (), CompareOperator.EQ, "OSIISO_STATUS_FAILED");
}

void test_notify (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var handle = queue.submit (attempt => attempt.return_none ());
    var seen = new GenericSet<string> (str_hash, str_equal);
    handle.notify.connect (pspec => seen.add (pspec.name));
    queue.run ();
    foreach (unowned var name in new string[] { "attempts", "status", "started", "finished", "duration" })
        assert_true (seen.contains (name));
    assert_true (seen.length == 5);
}

class LoudQueue : Osiiso.Queue {
    public string[] seen = {};

    public LoudQueue (string backend) {
        Object (backend_name: backend);
    }

    public override void on_start (Osiiso.Handle handle) {
        seen += "start";
    }

    public override void on_complete (Osiiso.Handle handle) {
        seen += "complete";
    }

    public override void on_retry (Osiiso.Handle handle, Error error) {
        seen += error.message;
    }
}

void test_subclass (string backend) throws Error {
    var queue = new LoudQueue (backend);
    queue.submit (fail, new Osiiso.TaskOptions () { retries = 1 });
    queue.run ();
    assert_strings (queue.seen, { "start", "busy", "start", "complete" });
}

// ---- Groups

void test_map (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var group = queue.map (5, return_index, new Osiiso.TaskOptions () { group_id = "squares", priority = 2 });
    ListModel model = group;
    assert_true (model.get_n_items () == 5 && group.n_finished == 0);
    assert_true (model.get_item_type () == typeof (Osiiso.Handle));
    queue.run ();
    for (var i = 0; i < 5; i++) {
        var handle = (Osiiso.Handle) model.get_item (i);
        assert_true (handle == group.get_handle (i));
        assert_true (handle.index == i && handle.get_value ().get_int64 () == i);
        assert_cmpstr (handle.group_id, CompareOperator.EQ, "squares");
    }
    assert_true (group.n_finished == 5);
    assert_null (group.get_handle (5));
    assert_null (model.get_item (5));
}

void test_group_submit (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var group = queue.new_group ("id");
    string[] changes = {};
    group.items_changed.connect ((position, removed, added) => changes += @"$position-$removed+$added");
    var first = group.submit (return_index);
    var second = group.submit (return_index, new Osiiso.TaskOptions () { name = "second" });
    assert_strings (changes, { "0-0+1", "1-0+1" });
    queue.run ();
    assert_true (first.get_value ().get_int64 () == 0 && second.get_value ().get_int64 () == 1);
    assert_cmpstr (group.group_id, CompareOperator.EQ, "id");
    assert_cmpstr (second.group_id, CompareOperator.EQ, "id");
    assert_cmpstr (queue.new_group (null).group_id, CompareOperator.NE, queue.new_group (null).group_id);
}

void test_group_cancel (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var group = queue.map (4, return_index);
    assert_true (group.get_handle (1).cancel ());
    assert_true (group.cancel () == 3);
    assert_true (queue.dup_summary ().cancelled == 4);
}

// ---- Waiting

delegate void Begin (AsyncReadyCallback callback);

// Runs a loop until the asynchronous call is over.
AsyncResult wait_for (Begin begin) {
    var loop = new MainLoop ();
    AsyncResult? given = null;
    begin ((source, result) => {
        given = result;
        loop.quit ();
    });
    loop.run ();
    return given;
}

async void wait_all_ways (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var handle = queue.submit (fail);
    assert_true (yield handle.wait_async ());
    assert_true (handle.status == Osiiso.Status.FAILED);
    assert_true (yield handle.wait_async ());

    var group = queue.map (3, return_index);
    var summary = yield group.wait_async ();
    assert_true (summary.succeeded == 3);
    assert_true (((Osiiso.TaskResult) summary.get_item (2)).get_value ().get_int64 () == 2);

    // The queue works already, so the run covers what has not finished by then.
    queue.map (2, return_index);
    summary = yield queue.run_async ();
    assert_true (summary.total_submitted <= 2 && summary.ok);
    assert_true (yield queue.join_async ());

    queue.submit (return_index);
    assert_true (yield queue.shutdown_async (false));
    assert_true (queue.closed);
    assert_true (queue.dup_summary ().succeeded == 6);
    try {
        queue.submit (return_index);
        assert_not_reached ();
    } catch (Osiiso.QueueError.CLOSED error) {
    }
}

void test_async (string backend) throws Error {
    wait_all_ways.end (wait_for (callback => wait_all_ways.begin (backend, callback)));
}

async void complete_in_order (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    string[] order = {};
    Osiiso.Handle? handle;
    queue.workers = 1;
    var group = queue.new_group (null);
    foreach (var priority in new int[] { 5, 4, 6 })
        group.submit (return_index, new Osiiso.TaskOptions () { priority = priority });
    while ((handle = yield group.next_completed_async ()) != null)
        order += handle.priority.to_string ();
    assert_strings (order, { "4", "5", "6" });
}

void test_next_completed (string backend) throws Error {
    complete_in_order.end (wait_for (callback => complete_in_order.begin (backend, callback)));
}

async void cancel_wait (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    Osiiso.Attempt? kept = null;
    var handle = queue.submit (attempt => kept = attempt.defer ());
    var cancellable = new Cancellable ();
    Idle.add (() => {
        cancellable.cancel ();
        return Source.REMOVE;
    });
    try {
        yield handle.wait_async (cancellable);
        assert_not_reached ();
    } catch (IOError.CANCELLED error) {
    }
    handle.cancel ();
    assert_true (yield handle.wait_async ());
    // It has the closure, and by that itself.
    kept = null;
}

void test_cancelled_wait (string backend) throws Error {
    cancel_wait.end (wait_for (callback => cancel_wait.begin (backend, callback)));
}

void test_blocking_wait () throws Error {
    var queue = new Osiiso.Queue ("thread-pool");
    var handle = queue.submit (return_index);
    assert_true (handle.wait (LONG));
    assert_true (queue.map (3, return_index).wait (-1).succeeded == 3);
    assert_true (handle.get_value ().get_int64 () == 0);
}

void test_would_deadlock () throws Error {
    var queue = new Osiiso.Queue ("main-loop");
    var handle = queue.submit (return_index);
    var group = queue.map (2, return_index);
    var n = 0;
    try {
        handle.wait (-1);
        assert_not_reached ();
    } catch (Osiiso.QueueError.WOULD_DEADLOCK error) {
        n++;
    }
    try {
        group.wait (-1);
        assert_not_reached ();
    } catch (Osiiso.QueueError.WOULD_DEADLOCK error) {
        n++;
    }
    queue.submit (attempt => {
        try {
            queue.run ();
            assert_not_reached ();
        } catch (Error error) {
            assert_error (error, Osiiso.QueueError.quark (), Osiiso.QueueError.WOULD_DEADLOCK);
            n++;
        }
    });
    queue.run ();
    assert_cmpint (n, CompareOperator.EQ, 3);
    assert_true (handle.wait (-1));
}

// ---- Values and errors

Value value_of (string backend, owned Osiiso.TaskFunc report) throws Error {
    var queue = new Osiiso.Queue (backend);
    var handle = queue.submit ((owned) report);
    queue.run ().check ();
    assert_true (handle.get_value () != null);
    return handle.get_value ();
}

void test_values (string backend) throws Error {
    assert_true (value_of (backend, attempt => attempt.return_int (int64.MIN)).get_int64 () == int64.MIN);
    assert_true (value_of (backend, attempt => attempt.return_double (0.5)).get_double () == 0.5);
    assert_true (value_of (backend, attempt => attempt.return_boolean (true)).get_boolean ());
    assert_cmpstr (value_of (backend, attempt => attempt.return_string ("žluť")).get_string (),
                   CompareOperator.EQ, "žluť");
    assert_null (value_of (backend, attempt => attempt.return_string (null)).get_string ());
    var boxed = value_of (backend, attempt => attempt.return_bytes (new Bytes ({ 0, 255 })));
    unowned var bytes = (Bytes) boxed.get_boxed ();
    assert_true (bytes.length == 2 && bytes[1] == 255);
    var variant = value_of (backend, attempt => attempt.return_variant (new Variant ("(si)", "a", 1))).dup_variant ();
    assert_cmpstr (variant.print (false), CompareOperator.EQ, "('a', 1)");
    var item = new SimpleAction ("name", null);
    assert_true (value_of (backend, attempt => attempt.return_object (item)).get_object () == item);
    assert_true ((int) value_of (backend, attempt => attempt.return_value (12)) == 12);
    assert_cmpstr ((string) value_of (backend, attempt => attempt.return_value ("text")), CompareOperator.EQ, "text");
}

Error error_of (string backend, owned Osiiso.TaskFunc report, Osiiso.TaskOptions? options = null) throws Error {
    var queue = new Osiiso.Queue (backend);
    var handle = queue.submit ((owned) report, options);
    queue.run ();
    assert_true (handle.status == Osiiso.Status.FAILED);
    assert_true (handle.get_value () == null);
    var error = handle.dup_error ();
    var result = handle.dup_result ();
    assert_cmpstr (result.message, CompareOperator.EQ, error.message);
    assert_error (result.dup_error (), error.domain, error.code, error.message);
    assert_error (result.error, error.domain, error.code, error.message);
    return error;
}

void test_errors (string backend) throws Error {
    assert_error (error_of (backend, attempt => attempt.return_error (new IOError.EXISTS ("text"))),
                  io_error (), IOError.EXISTS, "text");
    assert_true (error_of (backend, attempt => attempt.return_error (new Osiiso.QueueError.FULL ("full")))
                 is Osiiso.QueueError.FULL);
    assert_error (error_of (backend, attempt => {
        try {
            uint8[] contents;
            File.new_for_path ("/nonexistent/file").load_contents (null, out contents, null);
        } catch (Error error) {
            attempt.return_error ((owned) error);
        }
    }), io_error (), IOError.NOT_FOUND);
    assert_error (error_of (backend, attempt =>
        attempt.return_error_literal (Quark.from_string ("test-domain"), -5, "žluť")),
                  Quark.from_string ("test-domain"), -5, "žluť");
    assert_error (error_of (backend, attempt => {
        fail (attempt);
        attempt.return_none ();
    }), io_error (), IOError.BUSY);
    assert_error (error_of (backend, attempt => attempt.defer ()),
                  Osiiso.QueueError.quark (), Osiiso.QueueError.ABANDONED);
}

void test_retry_after (string backend) throws Error {
    var n = 0;
    assert_error (error_of (backend, attempt => {
        AtomicInt.inc (ref n);
        attempt.retry_after (0, new Osiiso.QueueError.FULL ("later"));
    }, new Osiiso.TaskOptions () { retries = 2, retry_delay = LONG }),
                  Osiiso.QueueError.quark (), Osiiso.QueueError.FULL, "later");
    assert_cmpint (n, CompareOperator.EQ, 3);
}

void test_not_found () throws Error {
    try {
        new Osiiso.Queue ("no-such-backend");
        assert_not_reached ();
    } catch (Osiiso.QueueError.NOT_FOUND error) {
        assert_true ("main-loop" in error.message && "thread-pool" in error.message);
    }
    try {
        Osiiso.Backend.create ("no-such-backend");
        assert_not_reached ();
    } catch (Osiiso.QueueError.NOT_FOUND error) {
    }
    var queue = new LoudQueue ("no-such-backend");
    assert_null (queue.backend);
    try {
        queue.submit (return_index);
        assert_not_reached ();
    } catch (Osiiso.QueueError.NOT_FOUND error) {
    }
}

void test_invalid (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var n = 0;
    foreach (var options in new Osiiso.TaskOptions[] { new Osiiso.TaskOptions () { timeout = -1 },
                                                       new Osiiso.TaskOptions () { retries = -2 } }) {
        try {
            options.validate ();
        } catch (Osiiso.QueueError.INVALID error) {
            n++;
        }
        try {
            queue.submit (return_index, options);
        } catch (Osiiso.QueueError.INVALID error) {
            n++;
        }
        try {
            queue.map (2, return_index, options);
        } catch (Osiiso.QueueError.INVALID error) {
            n++;
        }
    }
    assert_cmpint (n, CompareOperator.EQ, 6);
    queue.timeout = -1;
    try {
        queue.run ();
        assert_not_reached ();
    } catch (Osiiso.QueueError.INVALID error) {
    }
}

// ---- Cancelling and progress

void assert_cancelled (Osiiso.Handle handle) {
    assert_true (handle.status == Osiiso.Status.CANCELLED);
    assert_error (handle.dup_error (), io_error (), IOError.CANCELLED);
    assert_false (handle.cancel ());
}

void test_cancel_pending (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var ran = 0;
    var handle = queue.submit (attempt => AtomicInt.inc (ref ran));
    assert_true (handle.cancel ());
    assert_cancelled (handle);
    queue.run ();
    assert_cmpint (ran, CompareOperator.EQ, 0);
}

void test_cancel_deferred (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    Osiiso.Attempt? kept = null;
    var told = 0;
    Osiiso.Handle? handle = null;
    handle = queue.submit (attempt => {
        attempt.get_cancellable ().cancelled.connect (() => AtomicInt.inc (ref told));
        kept = attempt.defer ();
        Idle.add (() => {
            handle.cancel ();
            return Source.REMOVE;
        });
    });
    queue.run ();
    assert_cancelled (handle);
    assert_cmpint (AtomicInt.get (ref told), CompareOperator.EQ, 1);
    assert_false (kept.is_open ());
    kept.return_int (1);
    assert_true (handle.get_value () == null);
}

void test_progress (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    Osiiso.Attempt? kept = null;
    string[] seen = {};
    var handle = queue.submit (attempt => {
        kept = attempt.defer ();
        attempt.set_progress (0.5, "half");
    });
    handle.notify["progress"].connect (() => {
        seen += @"$(handle.progress) $(handle.status_text)";
        kept.return_none ();
    });
    queue.run ();
    assert_strings (seen, { "0.5 half" });
    assert_true (handle.get_progress () == 0.5);
    assert_cmpstr (handle.dup_status_text (), CompareOperator.EQ, "half");
}

// ---- Summaries

string names (ListModel model) {
    string[] found = {};
    for (var i = 0; i < model.get_n_items (); i++)
        found += ((Osiiso.TaskResult) model.get_item (i)).name;
    return string.joinv (" ", found);
}

void test_summary () throws Error {
    var queue = new Osiiso.Queue ("main-loop");
    queue.workers = 1;
    queue.submit (return_index, new Osiiso.TaskOptions () { name = "good" });
    var bad = queue.submit (fail, new Osiiso.TaskOptions () { name = "bad", group_id = "id" });
    var lost = queue.submit (return_index, new Osiiso.TaskOptions () { name = "lost" });
    queue.on_start.connect (handle => lost.cancel ());
    var summary = queue.run ();

    assert_true (summary.total_submitted == 3 && summary.succeeded == 1 && summary.failed == 1);
    assert_true (summary.cancelled == 1 && !summary.ok && !summary.timed_out && summary.duration > 0);
    assert_cmpstr (names (summary), CompareOperator.EQ, "lost good bad");
    assert_cmpstr (names (summary.successes ()), CompareOperator.EQ, "good");
    assert_cmpstr (names (summary.errors ()), CompareOperator.EQ, "bad");
    assert_cmpstr (names (summary.cancellations ()), CompareOperator.EQ, "lost");
    assert_cmpstr (names (summary.by_name ("good")), CompareOperator.EQ, "good");
    assert_cmpstr (names (summary.by_group ("id")), CompareOperator.EQ, "bad");
    assert_cmpstr (names (summary.by_group (null)), CompareOperator.EQ, "lost good");
    assert_strings (summary.list_names (), { "lost", "good", "bad" });
    assert_strings (summary.list_groups (), { "id" });
    assert_cmpstr (summary.by_task_id (bad.task_id).message, CompareOperator.EQ, "busy");
    assert_null (summary.by_task_id (uint64.MAX));
    assert_true ("COMPLETED WITH ERRORS" in summary.to_string ());
    try {
        summary.check ();
        assert_not_reached ();
    } catch (Osiiso.QueueError.FAILED error) {
        assert_true ("bad: busy" in error.message);
    }
}

// ---- Threads and backends

void test_threads () throws Error {
    var queue = new Osiiso.Queue ("thread-pool");
    var main_thread = Thread.self<void*> ();
    var mutex = Mutex ();
    var cond = Cond ();
    var inside = 0;
    queue.workers = 2;
    var group = queue.map (2, attempt => {
        // Passes only when two run at a time.
        mutex.lock ();
        inside++;
        cond.broadcast ();
        while (inside < 2)
            cond.wait (mutex);
        mutex.unlock ();
        attempt.return_boolean (Thread.self<void*> () != main_thread);
    });
    queue.run ().check ();
    for (var i = 0; i < 2; i++)
        assert_true (group.get_handle (i).get_value ().get_boolean ());
}

// Runs tasks in the thread that wakes it.
class InlineBackend : Osiiso.Backend {
    public string[] calls = {};

    public override Osiiso.BackendCapabilities get_capabilities () {
        return FUNCTIONS | CLOSURES;
    }

    public override uint get_default_workers () {
        return 3;
    }

    public override bool open () throws Error {
        calls += "open";
        return true;
    }

    public override void wake (uint n) {
        Osiiso.Attempt? attempt;
        while ((attempt = take ()) != null)
            attempt.run ();
    }

    public override void interrupt (Osiiso.Attempt attempt, Osiiso.InterruptReason reason) {
        calls += @"$(attempt.get_task_id ()) $(reason == CANCELLED ? "cancelled" : "timed out")";
    }

    public override void workers_changed () {
        calls += "workers";
    }

    public override void close (bool force) {
        calls += "close";
        closed ();
    }
}

// Runs tasks in a thread of its own, which blocks until there are some.
class ThreadBackend : Osiiso.Backend {
    public Thread<bool> thread;

    public override uint get_default_workers () {
        return 1;
    }

    public override bool open () throws Error {
        thread = new Thread<bool> ("backend", () => {
            Osiiso.Attempt? attempt;
            while ((attempt = take_wait ()) != null)
                attempt.run ();
            closed ();
            return true;
        });
        return true;
    }

    public override void close (bool force) {
        // The thread sees for itself that the queue is over.
    }
}

class BrokenBackend : Osiiso.Backend {
    public override bool open () throws Error {
        throw new IOError.BUSY ("broken");
    }

    public override void close (bool force) {
        closed ();
    }
}

void test_backend () throws Error {
    assert_true (Osiiso.Backend.register ("vala-inline", typeof (InlineBackend)));
    assert_true ("vala-inline" in Osiiso.Backend.list_names ());
    var queue = new Osiiso.Queue ("vala-inline");
    var backend = (InlineBackend) queue.backend;
    assert_true (backend.get_workers () == 3);
    var events = new Events (queue);
    var retried = queue.submit (fail, new Osiiso.TaskOptions () { retries = 1 });
    var group = queue.map (5, return_index);
    var summary = queue.run ();
    assert_strings (events.of (retried), { "start", "retry", "start", "complete" });
    assert_true (summary.succeeded == 5 && summary.failed == 1);
    assert_true (group.get_handle (4).get_value ().get_int64 () == 4);
    queue.workers = 7;

    Osiiso.Attempt? kept = null;
    queue.start ();
    var lost = queue.submit (attempt => kept = attempt.defer ());
    assert_true (kept.is_open ());
    assert_true (lost.cancel ());
    kept = null;
    assert_true (queue.shutdown (false));
    assert_strings (backend.calls, { "open", "workers", @"$(lost.task_id) cancelled", "close" });

    try {
        Osiiso.Backend.register ("vala-inline", typeof (BrokenBackend));
        assert_not_reached ();
    } catch (Osiiso.QueueError.BUSY error) {
    }
    try {
        Osiiso.Backend.register ("vala-queue", typeof (Osiiso.Queue));
        assert_not_reached ();
    } catch (Osiiso.QueueError.INVALID error) {
    }
}

void test_thread_backend () throws Error {
    var backend = new ThreadBackend ();
    var queue = new Osiiso.Queue.with_backend (backend);
    var group = queue.map (20, attempt => attempt.return_boolean (Thread.self<bool> () == backend.thread));
    queue.run ().check ();
    for (var i = 0; i < 20; i++)
        assert_true (group.get_handle (i).get_value ().get_boolean ());
    assert_true (queue.shutdown (false));
    assert_true (backend.thread.join ());
}

void test_broken_backend () throws Error {
    var queue = new Osiiso.Queue.with_backend (new BrokenBackend ());
    try {
        queue.start ();
        assert_not_reached ();
    } catch (IOError.BUSY error) {
        assert_cmpstr (error.message, CompareOperator.EQ, "broken");
    }
}

// ---- Memory

void test_objects_go (string backend) throws Error {
    var alive = 0;
    WeakNotify gone = () => alive--;

    {
        var queue = new Osiiso.Queue (backend);
        var value = new SimpleAction ("value", null);
        var options = new Osiiso.TaskOptions () { retries = 1 };
        var events = new Events (queue);
        var handle = queue.submit (fail, options);
        var group = queue.map (3, return_index);
        queue.submit (attempt => attempt.return_object (value));
        var summary = queue.run ();
        assert_true (events.seen.length == 12);
        foreach (unowned var item in new Object[] { queue, value, options, handle, group, group.get_handle (0),
                                                    summary, summary.get_item (0) }) {
            item.weak_ref (gone);
            alive++;
        }
        assert_true (queue.shutdown (false));
    }
    // What a thread of the pool drops last comes through the context.
    var guard = Timeout.add_seconds ((uint) LONG / 2, () => {
        assert_not_reached ();
    });
    while (alive > 0)
        MainContext.default ().iteration (true);
    Source.remove (guard);
}

void test_closures_go (string backend) throws Error {
    foreach (unowned var end in new string[] { "success", "cancel", "refused", "never run" }) {
        var held = new Object ();
        {
            var queue = new Osiiso.Queue (backend);
            if (end == "refused")
                queue.shutdown (true);
            Osiiso.Handle? handle = null;
            try {
                handle = submit_holding (queue, held);
            } catch (Osiiso.QueueError.CLOSED error) {
                assert_cmpstr (end, CompareOperator.EQ, "refused");
            }
            if (end == "cancel")
                handle.cancel ();
            if (end == "success" || end == "cancel")
                queue.run ();
        }
        settle ();
        assert_true (held.ref_count == 1);
    }
}

Osiiso.Handle submit_holding (Osiiso.Queue queue, Object held) throws Error {
    return queue.submit (attempt => assert_true (held.ref_count > 1));
}

void test_many (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var events = new Events (queue);
    int64 total = 0;
    queue.keep_results = false;
    for (var round = 0; round < 10; round++) {
        Osiiso.Handle[] handles = {};
        for (var i = 0; i < 100; i++)
            handles += queue.submit (attempt => attempt.return_int (10), new Osiiso.TaskOptions () { priority = i % 5 });
        var group = queue.map (100, return_index);
        queue.run ().check ();
        foreach (unowned var handle in handles)
            total += handle.get_value ().get_int64 ();
        for (var i = 0; i < 100; i++)
            total += group.get_handle (i).get_value ().get_int64 ();
    }
    assert_true (total == 10 * (100 * 10 + 4950));
    assert_cmpint (events.seen.length, CompareOperator.EQ, 4000);
}

// ---- The life of a queue

void test_initializer (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var fails = true;
    queue.workers = 1;
    assert_true (queue.set_initializer (() => {
        if (fails)
            throw new IOError.BUSY ("busy");
        return true;
    }));
    var handle = queue.submit (return_index);
    assert_cmpint ((int) queue.run ().failed, CompareOperator.EQ, 1);
    assert_error (handle.dup_error (), io_error (), IOError.BUSY, "worker initializer failed: busy");
    fails = false;
    queue.submit (return_index);
    assert_true (queue.run_full (LONG, Osiiso.FailPolicy.FAIL_FIRST).ok);
}

void test_reset (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    queue.shutdown_timeout = LONG;
    var handle = queue.submit (return_index);
    assert_true (queue.shutdown (false));
    assert_true (queue.closed);
    assert_true (queue.reset ());
    assert_false (queue.closed);
    assert_true (handle.status == Osiiso.Status.SUCCEEDED);
    assert_cmpint ((int) queue.completed_count, CompareOperator.EQ, 0);
    handle = queue.submit (return_index);
    assert_true (queue.reset ());
    assert_true (handle.status == Osiiso.Status.CANCELLED);
}

// ---- What there is

void test_version () throws Error {
    assert_cmpstr (@"$(Osiiso.MAJOR_VERSION).$(Osiiso.MINOR_VERSION).$(Osiiso.MICRO_VERSION)",
                   CompareOperator.EQ, Osiiso.VERSION_S);
    assert_cmpint (new Osiiso.TaskOptions ().priority, CompareOperator.EQ, Osiiso.PRIORITY_DEFAULT);
}

delegate void TestFunc () throws Error;
delegate void BackendTestFunc (string backend) throws Error;

void add (string name, owned TestFunc func) {
    Test.add_data_func (@"/vala/$name", () => {
        try {
            func ();
            settle ();
        } catch (Error error) {
            unexpected (error);
        }
    });
}

// The same test on each backend.
void add_each (string name, BackendTestFunc func) {
    foreach (unowned var backend in BACKENDS)
        add (@"$name/$backend", () => func (backend));
}

int main (string[] args) {
    Test.init (ref args);

    add_each ("submit", test_submit);
    add_each ("options", test_options);
    add_each ("queue-properties", test_properties_of_queue);
    add ("priority", test_priority);
    add_each ("push", test_push);
    add_each ("size", test_size);
    add_each ("three-signals", test_three_signals);
    add_each ("notify", test_notify);
    add_each ("subclass", test_subclass);
    add_each ("map", test_map);
    add_each ("group-submit", test_group_submit);
    add_each ("group-cancel", test_group_cancel);
    add_each ("async", test_async);
    add_each ("next-completed", test_next_completed);
    add_each ("cancelled-wait", test_cancelled_wait);
    add ("blocking-wait", test_blocking_wait);
    add ("would-deadlock", test_would_deadlock);
    add_each ("values", test_values);
    add_each ("errors", test_errors);
    add_each ("retry-after", test_retry_after);
    add ("not-found", test_not_found);
    add_each ("invalid", test_invalid);
    add_each ("cancel-pending", test_cancel_pending);
    add_each ("cancel-deferred", test_cancel_deferred);
    add_each ("progress", test_progress);
    add ("summary", test_summary);
    add ("threads", test_threads);
    add ("backend", test_backend);
    add ("thread-backend", test_thread_backend);
    add ("broken-backend", test_broken_backend);
    add_each ("objects-go", test_objects_go);
    add_each ("closures-go", test_closures_go);
    add_each ("many", test_many);
    add_each ("initializer", test_initializer);
    add_each ("reset", test_reset);
    add ("version", test_version);

    return Test.run ();
}
