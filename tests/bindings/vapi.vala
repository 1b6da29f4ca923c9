// SPDX-License-Identifier: LGPL-2.1-or-later
// What the vapi has beyond the GIR. Much of it is tested by that it compiles: defaults,
// what may be null, and what is thrown. Built with --enable-experimental-non-null.

const string[] BACKENDS = { "main-loop", "thread-pool" };

void return_index (Osiiso.Attempt attempt) {
    attempt.return_int (attempt.get_index ());
}

void test_defaults () throws Error {
    var queue = new Osiiso.Queue ();
    var group = queue.new_group ();
    var handle = group.submit (attempt => {
        attempt.set_progress (0.5);
        attempt.return_error_details (new IOError.BUSY ("busy"));
    });
    assert_true (handle.wait ());
    assert_true (group.wait ().failed == 1);
    assert_true (((!) handle.dup_error ()) is IOError.BUSY);
    assert_true (group.next_completed () == handle);
    assert_null (group.next_completed ());
    assert_true (queue.shutdown ());
    assert_true (queue.closed);
    assert_true (Osiiso.Backend.create ().get_type ().is_a (typeof (Osiiso.Backend)));
    assert_null (new Osiiso.Call ("m:f").get_args ());
}

void test_foreach (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var group = queue.map (5, return_index);
    var summary = queue.run ();
    uint n = 0;
    foreach (var handle in group) {
        assert_true (handle.index == n);
        assert_true (handle == group[(int) n]);
        assert_true (((!) handle.get_value ()).get_int64 () == n++);
    }
    assert_true (n == 5 && group.size == 5);
    int64 sum = 0;
    foreach (var result in summary)
        sum += ((!) result.get_value ()).get_int64 ();
    assert_true (sum == 10 && summary.size == 5);
    assert_true (summary[4].status == Osiiso.Status.SUCCEEDED);

    n = 0;
    foreach (var handle in queue.new_group ())
        n += handle.index + 1;
    assert_true (n == 0);
}

void test_nothing () throws Error {
    var queue = new Osiiso.Queue ("main-loop");
    var handle = queue.submit (return_index);
    string? group_id = handle.group_id;
    string? status_text = handle.status_text;
    Variant? metadata = handle.metadata;
    assert_true (group_id == null && status_text == null && metadata == null);
    var options = new Osiiso.TaskOptions ();
    assert_true (options.name == null && options.group_id == null && options.metadata == null &&
                 options.cancellable == null);
    options.name = "name";
    options.name = null;
    queue.run ();
    var result = (!) handle.dup_result ();
    Error? error = result.error;
    assert_true (error == null && result.group_id == null && result.metadata == null);
    var command = new Osiiso.Command ({ "true" });
    assert_true (command.cwd == null && command.environ == null && command.stdin_bytes == null);
    Osiiso.Backend? backend = queue.backend;
    assert_true (backend != null);
}

// Throws nothing else, so nothing else has to be caught.
bool is_valid (Osiiso.TaskOptions options) {
    try {
        return options.validate ();
    } catch (Osiiso.QueueError error) {
        assert_true (error is Osiiso.QueueError.INVALID);
        return false;
    }
}

void test_throws () throws Error {
    assert_true (is_valid (new Osiiso.TaskOptions ()));
    assert_false (is_valid (new Osiiso.TaskOptions () { retries = -1 }));
    var queue = new Osiiso.Queue ("main-loop");
    queue.submit (attempt => attempt.return_error (new IOError.BUSY ("busy")));
    var summary = queue.run ();
    try {
        summary.check ();
        assert_not_reached ();
    } catch (Osiiso.QueueError error) {
        assert_true (error is Osiiso.QueueError.FAILED);
    }
}

// Values and errors belong to who gets them, and outlive what they come from.
void test_ownership (string backend) throws Error {
    Value? value;
    Value? copy;
    Error? error;
    Variant? metadata;
    {
        var queue = new Osiiso.Queue (backend);
        var options = new Osiiso.TaskOptions () { metadata = new Variant.string ("metadata") };
        var handle = queue.submit (attempt => attempt.return_string ("text"), options);
        var failed = queue.submit (attempt => attempt.return_error (new IOError.BUSY ("busy")));
        queue.run ();
        value = handle.dup_value ();
        copy = handle.get_value ();
        metadata = handle.metadata;
        error = failed.dup_error ();
        assert_true (queue.shutdown ());
    }
    while (MainContext.default ().iteration (false));
    assert_cmpstr (((!) value).get_string (), CompareOperator.EQ, "text");
    assert_cmpstr (((!) copy).get_string (), CompareOperator.EQ, "text");
    assert_cmpstr (((!) metadata).get_string (), CompareOperator.EQ, "metadata");
    assert_cmpstr (((!) error).message, CompareOperator.EQ, "busy");
}

// What a closure has captured is released, once, wherever it ran.
void test_closures (string backend) throws Error {
    var object = new Object ();
    var queue = new Osiiso.Queue (backend);
    var sum = 0;
    {
        var captured = object;
        for (var i = 0; i < 1000; i++) {
            var own = i;
            queue.push (attempt => {
                assert_true (captured.ref_count > 1);
                AtomicInt.add (ref sum, own);
            });
        }
        var group = queue.map (1000, attempt => {
            assert_true (captured.ref_count > 1);
            AtomicInt.inc (ref sum);
        });
        assert_true (group.get_n_items () == 1000);
    }
    queue.run ().check ();
    assert_true (queue.shutdown ());
    assert_cmpint (sum, CompareOperator.EQ, 500500);
    while (object.ref_count > 1)
        MainContext.default ().iteration (true);
}

async int64 add_up (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var group = queue.map (4, return_index);
    int64 sum = 0;
    var summary = yield queue.run_async ();
    foreach (var handle in group) {
        assert_true (yield handle.wait_async ());
        sum += ((!) handle.get_value ()).get_int64 ();
    }
    assert_true (summary.succeeded == 4);
    Osiiso.Handle? handle;
    var n = 0;
    while ((handle = yield group.next_completed_async ()) != null)
        n++;
    assert_true (n == 4);
    assert_true (yield queue.join_async ());
    assert_true (yield queue.shutdown_async ());
    return sum;
}

void test_async (string backend) throws Error {
    var loop = new MainLoop ();
    AsyncResult? result = null;
    add_up.begin (backend, (source, found) => {
        result = found;
        loop.quit ();
    });
    loop.run ();
    assert_true (add_up.end ((!) result) == 6);
}

delegate void TestFunc () throws Error;

void add (string name, owned TestFunc func) {
    Test.add_data_func (@"/vala-vapi/$name", () => {
        try {
            func ();
            while (MainContext.default ().iteration (false));
        } catch (Error error) {
            Test.message ("%s", error.message);
            assert_not_reached ();
        }
    });
}

int main (string[] args) {
    Test.init (ref args);

    add ("defaults", test_defaults);
    add ("nothing", test_nothing);
    add ("throws", test_throws);
    foreach (unowned var backend in BACKENDS) {
        add (@"foreach/$backend", () => test_foreach (backend));
        add (@"ownership/$backend", () => test_ownership (backend));
        add (@"closures/$backend", () => test_closures (backend));
        add (@"async/$backend", () => test_async (backend));
    }

    return Test.run ();
}
