// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls, commands and the details of errors from Vala, through the vapi.

const string[] BACKENDS = { "main-loop", "thread-pool" };

// Runs nothing: the test takes attempts and ends them.
class Holder : Osiiso.Backend {
    public override Osiiso.BackendCapabilities get_capabilities () {
        return CALLS | COMMANDS;
    }

    public override bool open () throws Error {
        return true;
    }

    public override void wake (uint n) {
    }

    public override void close (bool force) {
        closed ();
    }
}

void test_values (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    var group = queue.new_group ("id");
    var added = queue.submit_call ("test-calls:test_add", new Variant ("(ii)", 3, 4));
    var nothing = group.submit_call ("test-calls:test_none");
    var failed = queue.submit_call_full (new Osiiso.Call ("test-calls:test_fail", null),
                                         new Osiiso.TaskOptions () { name = "mine" });
    var summary = queue.run ();
    assert_true (added.get_value ().dup_variant ().get_int32 () == 7);
    assert_cmpstr (added.name, CompareOperator.EQ, "test-calls:test_add");
    assert_true (nothing.status == Osiiso.Status.SUCCEEDED && nothing.get_value () == null);
    assert_true (failed.dup_error () is IOError.BUSY);
    assert_cmpstr (failed.name, CompareOperator.EQ, "mine");
    assert_true (summary.succeeded == 2 && summary.failed == 1);
}

void test_errors () throws Error {
    var queue = new Osiiso.Queue ("thread-pool");
    try {
        queue.submit_call_full (new Osiiso.Call.json ("m:f", "[]"));
        assert_not_reached ();
    } catch (Osiiso.QueueError.NOT_SUPPORTED error) {
        assert_true ("JSON" in error.message);
    }
    try {
        queue.submit_command ({ "true" });
        assert_not_reached ();
    } catch (Osiiso.QueueError.NOT_SUPPORTED error) {
        assert_true ("'subprocess' does" in error.message);
    }
    try {
        queue.submit_call ("none");
        assert_not_reached ();
    } catch (Osiiso.QueueError.INVALID error) {
        assert_true ("'none'" in error.message);
    }
}

void test_many (string backend) throws Error {
    var queue = new Osiiso.Queue (backend);
    Osiiso.Handle[] handles = {};
    for (var i = 0; i < 1000; i++)
        handles += queue.submit_call ("test-calls:test_add", new Variant ("(ii)", i, 1));
    queue.run ().check ();
    for (var i = 0; i < 1000; i++)
        assert_true (handles[i].get_value ().dup_variant ().get_int32 () == i + 1);
}

void test_holder () throws Error {
    var queue = new Osiiso.Queue.with_backend (new Holder ());
    queue.start ();
    var call = new Osiiso.Call.bytes ("module:function", new Bytes ("abc".data));
    call.set_preamble (new Bytes ("def".data));
    var called = queue.submit_call_full (call);
    call = null;
    var run = queue.submit_command_full (new Osiiso.Command ({ "sort", "-r" }) { cwd = "/tmp", merge_stderr = true });

    var attempt = queue.backend.take ();
    unowned var taken = attempt.get_call ();
    assert_true (taken.get_encoding () == Osiiso.Encoding.BYTES);
    assert_true (taken.get_bytes ().get_size () == 3 && taken.get_preamble ().get_size () == 3);
    attempt.return_string ("done");
    attempt = queue.backend.take ();
    unowned var command = attempt.get_command ();
    assert_cmpstr (string.joinv (" ", command.argv), CompareOperator.EQ, "sort -r");
    assert_true (command.cwd == "/tmp" && command.merge_stderr && command.search_path);
    var details = Value (typeof (Osiiso.CommandResult));
    var command_result = new Osiiso.CommandResult (3 << 8, null, 0, new Bytes ("err".data), 0, 0, 0, 0, 0);
    details.set_boxed (command_result);
    attempt.return_error_details (new IOError.BUSY ("busy"), details);
    attempt = null;
    queue.join ();

    assert_cmpstr (called.get_value ().get_string (), CompareOperator.EQ, "done");
    assert_true (run.get_value () == null);
    assert_true (run.dup_error () is IOError.BUSY);
    unowned var result = (Osiiso.CommandResult) run.get_error_details ().get_boxed ();
    assert_true (result.get_exit_status () == 3);
    assert_cmpstr (result.dup_stderr_text (), CompareOperator.EQ, "err");
}

delegate void TestFunc () throws Error;

void add (string name, owned TestFunc func) {
    Test.add_data_func (@"/vala-calls/$name", () => {
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

    foreach (unowned var backend in BACKENDS) {
        add (@"values/$backend", () => test_values (backend));
        add (@"many/$backend", () => test_many (backend));
    }
    add ("errors", test_errors);
    add ("holder", test_holder);

    return Test.run ();
}
