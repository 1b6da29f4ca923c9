# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls, commands and the details of errors from Python, through plain introspection."""
import gc

import gi

gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, Osiiso  # noqa: E402

import tap  # noqa: E402

BACKENDS = ('main-loop', 'thread-pool')
CAPABILITIES = Osiiso.BackendCapabilities


class Holder(Osiiso.Backend):
    """Runs nothing: the test takes attempts and ends them."""
    __gtype_name__ = 'TestHolder'

    def do_get_capabilities(self):
        return CAPABILITIES.CALLS | CAPABILITIES.COMMANDS

    def do_open(self):
        return True

    def do_wake(self, n):
        pass

    def do_close(self, force):
        self.closed()


class Case(tap.Case):
    def raises(self, code, call, *arguments):
        with self.assertRaises(GLib.Error) as context:
            call(*arguments)
        self.assertTrue(context.exception.matches(Osiiso.QueueError.quark(), code), context.exception)
        return context.exception.message

    def holder_queue(self):
        queue = Osiiso.Queue.new_with_backend(Holder())
        queue.start()
        return queue


class TestCalls(Case):
    def test_values(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                group = queue.new_group('id')
                added = queue.submit_call('test-calls:test_add', GLib.Variant('(ii)', (3, 4)), None)
                nothing = queue.submit_call('test-calls:test_none', None, None)
                failed = queue.submit_call('test-calls:test_fail', None, Osiiso.TaskOptions(name='mine'))
                echo = group.submit_call_full(Osiiso.Call.new('test-calls:test_echo', GLib.Variant('s', 'text')), None)
                task_id = queue.push_call(Osiiso.Call.new('test-calls:test_fail', None), None)
                summary = queue.run()
                self.assertEqual(added.get_value().unpack(), 7)
                self.assertEqual(added.get_name(), 'test-calls:test_add')
                self.assertIsNone(nothing.get_value())
                self.assertEqual(echo.get_value().unpack(), 'text')
                self.assertEqual(failed.get_name(), 'mine')
                self.assertTrue(failed.dup_error().matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))
                self.assertEqual(queue.lookup(task_id).get_name(), 'test-calls:test_fail')
                self.assertEqual((summary.props.succeeded, summary.props.failed), (3, 2))

    def test_errors(self):
        queue = Osiiso.Queue.new('thread-pool')
        self.assertIn("expected 'module:symbol'", self.raises(Osiiso.QueueError.INVALID, queue.submit_call, 'none', None, None))
        json = Osiiso.Call.new_json('m:f', '[]')
        self.assertIn("'thread-pool' does not run calls with JSON text or bytes",
                      self.raises(Osiiso.QueueError.NOT_SUPPORTED, queue.submit_call_full, json, None))
        self.assertIn("'thread-pool' does not run commands; 'subprocess' does",
                      self.raises(Osiiso.QueueError.NOT_SUPPORTED, queue.submit_command, ['true'], None, None))
        absent = queue.submit_call('absent:f', None, None)
        queue.run()
        self.assertTrue(absent.dup_error().matches(Osiiso.QueueError.quark(), Osiiso.QueueError.NOT_FOUND))

    def test_many(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                handles = [queue.submit_call('test-calls:test_add', GLib.Variant('(ii)', (i, 1)), None) for i in range(1000)]
                queue.run().check()
                self.assertEqual([handle.get_value().unpack() for handle in handles], list(range(1, 1001)))

    def test_backend_in_python(self):
        queue = self.holder_queue()
        call = Osiiso.Call.new_bytes('module:Class.method', GLib.Bytes.new(b'arguments'))
        call.set_preamble(GLib.Bytes.new(b'preamble'))
        handle = queue.submit_call_full(call, None)
        del call
        attempt = queue.props.backend.take()
        call = attempt.get_call()
        self.assertIsNone(attempt.get_command())
        attempt.return_string('done')
        del attempt
        gc.collect()
        # Nothing but this has it any more.
        self.assertEqual(call.get_function(), 'module:Class.method')
        self.assertEqual(call.get_encoding(), Osiiso.Encoding.BYTES)
        self.assertEqual(call.get_bytes().get_data(), b'arguments')
        self.assertEqual(call.get_preamble().get_data(), b'preamble')
        self.assertIsNone(call.get_args())
        self.assertIsNone(call.get_json())
        self.assertEqual(handle.get_value(), 'done')


class TestCommands(Case):
    def test_properties(self):
        command = Osiiso.Command(argv=['sort', '-r'], stdin_bytes=GLib.Bytes.new(b'b\na\n'), cwd='/tmp',
                                 environ=['A=1'], output_limit=10, merge_stderr=True, search_path=False)
        self.assertEqual(command.get_argv(), ['sort', '-r'])
        self.assertEqual(command.props.stdin_bytes.get_data(), b'b\na\n')
        self.assertEqual((command.props.cwd, command.props.environ), ('/tmp', ['A=1']))
        self.assertEqual((command.props.output_limit, command.props.merge_stderr, command.props.search_path),
                         (10, True, False))
        self.assertEqual(Osiiso.Command.new(['true']).props.output_limit, 1024 * 1024)

    def test_backend_in_python(self):
        queue = self.holder_queue()
        good = queue.submit_command(['/bin/true', 'a'], GLib.Bytes.new(b'in'), None)
        bad = queue.submit_command_full(Osiiso.Command(argv=['false']), None)
        self.assertEqual(good.get_name(), 'true')

        attempt = queue.props.backend.take()
        command = attempt.get_command()
        self.assertEqual(command.get_argv(), ['/bin/true', 'a'])
        self.assertEqual(command.get_stdin_bytes().get_data(), b'in')
        attempt.return_value(Osiiso.CommandResult.new(0, GLib.Bytes.new(b'out\xff'), 7, None, 0, 1.5, 0.5, 0.25, 4096))
        attempt = queue.props.backend.take()
        result = Osiiso.CommandResult.new(3 << 8, None, 0, GLib.Bytes.new(b'err'), 0, 1.5, 0.5, 0.25, 4096)
        attempt.return_error_details(GLib.Error('failed', 'g-spawn-exit-error-quark', 3), result)
        queue.join()

        value = good.dup_value()
        self.assertEqual((value.get_exit_status(), value.get_signal(), value.get_stdout_dropped()), (0, 0, 7))
        self.assertEqual(value.get_stdout().get_data(), b'out\xff')
        self.assertEqual(value.dup_stdout_text(), 'out\ufffd')
        self.assertEqual((value.get_duration(), value.get_user_time(), value.get_system_time()), (1.5, 0.5, 0.25))
        self.assertIsNone(good.dup_error_details())
        self.assertIsNone(bad.get_value())
        details = bad.dup_result().dup_error_details()
        del bad
        gc.collect()
        self.assertEqual((details.get_exit_status(), details.dup_stderr_text()), (3, 'err'))


class TestDetails(Case):
    def test_text(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                error = GLib.Error('busy', 'g-io-error-quark', int(Gio.IOErrorEnum.BUSY))
                handle = queue.submit(lambda attempt, _: attempt.return_error_details(error, 'details'))
                queue.run()
                self.assertEqual(handle.get_error_details(), 'details')
                self.assertIsNone(handle.get_value())
                self.assertEqual(handle.dup_error().message, 'busy')


if __name__ == '__main__':
    tap.main()
