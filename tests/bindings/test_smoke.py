# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uses the library through plain introspection, as PyGObject offers it.

A callback whose user data is not the last argument of the call gets that
argument in any case, None when the caller gave none; hence the *_ of the tasks.
"""
import gc
import threading
import weakref

import gi
gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, GObject, Osiiso  # noqa: E402

import tap  # noqa: E402

MAIN_THREAD = threading.get_ident()
CONTEXT = GLib.MainContext.default()
BACKENDS = ('main-loop', 'thread-pool')
CLOSURES = Osiiso.BackendCapabilities.FUNCTIONS | Osiiso.BackendCapabilities.CLOSURES
# Nothing here takes this long; a wait that does has gone wrong.
LONG = 60


def iterate_until(condition):
    late = []
    timer = GLib.timeout_add_seconds(LONG // 2, lambda: late.append(True) or GLib.SOURCE_CONTINUE)
    while not condition():
        assert not late, 'waited in vain'
        CONTEXT.iteration(True)
    GLib.source_remove(timer)


def call_async(source, name, *arguments):
    """Calls NAME_async, runs a loop until its callback and returns NAME_finish."""
    loop = GLib.MainLoop()
    given = []

    def ready(*received):
        given.extend(received)
        loop.quit()

    getattr(source, f'{name}_async')(*arguments, ready)
    loop.run()
    assert given[0] is source, f'{given[0]} is not {source}'
    return getattr(source, f'{name}_finish')(given[1])


def return_index(attempt, *_):
    attempt.return_int(attempt.get_index())


def return_ten(attempt, *_):
    attempt.return_int(10)


def fail(attempt, *_):
    attempt.return_error_literal(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY, 'busy')


def items(model):
    return [model.get_item(i) for i in range(model.get_n_items())]


class Events:
    """What the three signals of a queue tell, with the thread that they come in."""

    def __init__(self, queue):
        self.seen = []
        self.threads = set()
        queue.connect('on-start', self.on_signal, 'start')
        queue.connect('on-complete', self.on_signal, 'complete')
        queue.connect('on-retry', self.on_signal, 'retry')

    def on_signal(self, queue, handle, *rest):
        *error, kind = rest
        self.threads.add(threading.get_ident())
        self.seen.append((kind, handle, *error))

    def of(self, handle):
        return [(kind, *error) for kind, other, *error in self.seen if other is handle]


class Case(tap.Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.settle)

    @staticmethod
    def settle():
        """Nothing of one test is left for the next."""
        gc.collect()
        while CONTEXT.iteration(False):
            pass

    def assert_error(self, error, domain, code, message=None):
        self.assertIsInstance(error, GLib.Error)
        self.assertTrue(error.matches(domain, code), repr(error))
        if message is not None:
            self.assertEqual(error.message, message)

    def raises(self, code, call, *arguments, domain=None):
        with self.assertRaises(GLib.Error) as context:
            call(*arguments)
        self.assert_error(context.exception, domain or Osiiso.QueueError.quark(), code)
        return context.exception.message


class TestSubmit(Case):
    def test_submit(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                handle = queue.submit(return_ten)
                self.assertEqual(handle.props.status, Osiiso.Status.PENDING)
                self.assertIsNone(handle.get_value())
                self.assertIsNone(handle.dup_error())
                self.assertIsNone(handle.dup_result())
                self.assertFalse(handle.is_done())
                summary = queue.run()
                self.assertEqual(summary.props.succeeded, 1)
                self.assertTrue(handle.is_done())
                self.assertEqual(handle.get_value(), 10)
                self.assertEqual(handle.dup_result().get_value(), 10)

    def test_user_data(self):
        queue = Osiiso.Queue.new('main-loop')
        handle = queue.submit(lambda attempt, data: attempt.return_string(data), 'data')
        queue.run()
        self.assertEqual(handle.get_value(), 'data')

    def test_options(self):
        options = Osiiso.TaskOptions(priority=1, must_complete=True, timeout=LONG, retries=3,
                                     retry_delay=0.25, backoff=2, max_retry_delay=4, jitter=0.5,
                                     delay=0, run_at=0, name='name', group_id='id', detached=True,
                                     metadata=GLib.Variant('a{si}', {'key': 7}))
        self.assertTrue(options.validate())
        copy = options.copy()
        for pspec in options.list_properties():
            self.assertEqual(copy.get_property(pspec.name), options.get_property(pspec.name))
        self.assertEqual((copy.get_retries(), copy.get_backoff(), copy.props.jitter), (3, 2, 0.5))

        queue = Osiiso.Queue.new('main-loop')
        handle = queue.submit(return_ten, options=options)
        options.props.name = 'too late'
        self.assertEqual(handle.get_name(), 'name')
        self.assertEqual(handle.get_priority(), 1)
        self.assertEqual(handle.get_group_id(), 'id')
        self.assertEqual(handle.get_metadata().unpack(), {'key': 7})
        self.assertTrue(handle.get_must_complete())
        self.assertTrue(handle.get_detached())
        self.assertEqual(queue.run().get_total_submitted(), 0)
        self.assertEqual(handle.get_value(), 10)
        self.assertEqual(handle.get_attempts(), 1)

    def test_queue_properties(self):
        backend = Osiiso.Backend.create('main-loop')
        queue = Osiiso.Queue(backend=backend, workers=2, timeout=LONG, mode=Osiiso.Mode.FINITE,
                             fail_policy=Osiiso.FailPolicy.FAIL_FIRST, keep_results=False,
                             on_timeout=Osiiso.TimeoutPolicy.CANCEL)
        self.assertIs(queue.props.backend, backend)
        self.assertEqual((queue.get_workers(), backend.get_workers()), (2, 2))
        self.assertEqual(queue.props.timeout, LONG)
        self.assertEqual(queue.props.fail_policy, Osiiso.FailPolicy.FAIL_FIRST)
        self.assertEqual(queue.get_on_timeout(), Osiiso.TimeoutPolicy.CANCEL)
        self.assertFalse(queue.props.keep_results)
        self.assertEqual(queue.get_context(), CONTEXT)

    def test_priority(self):
        queue = Osiiso.Queue(backend_name='main-loop', workers=1)
        order = []
        for priority in (3, 9, -1):
            queue.submit(lambda attempt, data: order.append(data), priority,
                         Osiiso.TaskOptions(priority=priority))
        late = queue.submit(lambda attempt, data: order.append(data), 'raised')
        self.assertTrue(late.set_priority(Osiiso.PRIORITY_MIN))
        queue.run()
        self.assertEqual(order, ['raised', -1, 3, 9])
        self.assertFalse(late.set_priority(0))

    def test_push(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                done = []
                task_id = queue.push(lambda attempt, data: done.append(data), 'pushed',
                                     Osiiso.TaskOptions(name='name'))
                handle = queue.lookup(task_id)
                self.assertEqual((handle.props.task_id, handle.props.name), (task_id, 'name'))
                summary = queue.run()
                self.assertEqual(done, ['pushed'])
                self.assertEqual(handle.props.status, Osiiso.Status.SUCCEEDED)
                self.assertEqual(summary.get_succeeded(), 1)
                self.assertIsNone(queue.lookup(task_id + 1))

    def test_size(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, size=1)
                queue.pause()
                first = queue.try_submit(return_ten)
                self.assertEqual(self.raises(Osiiso.QueueError.FULL, queue.try_submit, return_ten),
                                 'queue is full (1 tasks outstanding)')
                self.raises(Osiiso.QueueError.FULL, queue.try_push, return_ten)
                queue.resume()
                # Of two callbacks in one call PyGObject wants a tuple of user data for the first.
                second = call_async(queue, 'submit', return_ten, (), None, None)
                third = call_async(queue, 'submit', lambda attempt, data: attempt.return_string(data),
                                   ('data',), Osiiso.TaskOptions(name='third'), None)
                queue.join()
                self.assertEqual((first.get_value(), second.get_value()), (10, 10))
                self.assertEqual((third.get_value(), third.get_name()), ('data', 'third'))
                self.assertGreater(queue.try_push(return_ten), 0)
                cancellable = Gio.Cancellable()
                cancellable.cancel()
                self.raises(Gio.IOErrorEnum.CANCELLED, call_async, queue, 'submit', return_ten, (),
                            None, cancellable, domain=Gio.io_error_quark())
                queue.join()

    def test_blocking_submit(self):
        queue = Osiiso.Queue(backend_name='thread-pool', size=2)
        handles = [queue.submit(return_ten) for _ in range(50)]
        queue.join()
        self.assertEqual({handle.get_value() for handle in handles}, {10})

    def test_default_backend(self):
        self.assertEqual(Osiiso.Queue.new(None).props.backend.__gtype__.name,
                         'OsiisoThreadPoolBackend')


class TestSignals(Case):
    def test_three_signals(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                events = Events(queue)

                def work(attempt, *_):
                    if attempt.get_number() == 1:
                        fail(attempt)
                    else:
                        attempt.return_string('done')

                good = queue.submit(work, options=Osiiso.TaskOptions(retries=3, name='good'))
                bad = queue.submit(fail, options=Osiiso.TaskOptions(name='bad'))
                queue.run()

                self.assertEqual([kind for kind, *_ in events.of(good)],
                                 ['start', 'retry', 'start', 'complete'])
                self.assertEqual([kind for kind, *_ in events.of(bad)], ['start', 'complete'])
                self.assertEqual(len(events.seen), 6)
                self.assert_error(events.of(good)[1][1], Gio.io_error_quark(), Gio.IOErrorEnum.BUSY,
                                  'busy')
                self.assertEqual(events.threads, {MAIN_THREAD})
                self.assertEqual((good.props.status, good.props.attempts),
                                 (Osiiso.Status.SUCCEEDED, 2))
                self.assertEqual((bad.props.status, bad.props.attempts), (Osiiso.Status.FAILED, 1))
                self.assert_error(bad.dup_error(), Gio.io_error_quark(), Gio.IOErrorEnum.BUSY,
                                  'busy')

    def test_status_at_signal(self):
        queue = Osiiso.Queue.new('main-loop')
        seen = []
        for signal in ('on-start', 'on-retry', 'on-complete'):
            queue.connect(signal, lambda queue, handle, *rest:
                          seen.append((rest[-1], handle.get_status().value_nick)), signal)

        def work(attempt, *_):
            seen.append(('function', attempt.get_number()))
            if attempt.get_number() == 1:
                attempt.defer()
                GLib.idle_add(fail, attempt)

        queue.submit(work, options=Osiiso.TaskOptions(retries=1, retry_delay=0.001))
        queue.run()
        self.assertEqual(seen, [('on-start', 'running'), ('function', 1), ('on-retry', 'retrying'),
                                ('on-start', 'running'), ('function', 2),
                                ('on-complete', 'succeeded')])

    def test_notify(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                handle = queue.submit(return_ten)
                seen = set()
                handle.connect('notify', lambda handle, pspec:
                               seen.add((pspec.name, threading.get_ident())))
                queue.run()
                self.assertEqual(seen, {(name, MAIN_THREAD) for name in
                                        ('attempts', 'status', 'started', 'finished', 'duration')})

    def test_subclass(self):
        class Queue(Osiiso.Queue):
            __gtype_name__ = 'TestPyQueue'

            def __init__(self, **properties):
                super().__init__(**properties)
                self.seen = []

            def do_on_start(self, handle):
                self.seen.append(('start', handle))

            def do_on_complete(self, handle):
                self.seen.append(('complete', handle))

            def do_on_retry(self, handle, error):
                self.seen.append(('retry', handle, error.message))

        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Queue(backend_name=backend)
                handle = queue.submit(fail, options=Osiiso.TaskOptions(retries=1))
                queue.run()
                self.assertEqual(queue.seen,
                                 [('start', handle), ('retry', handle, 'busy'), ('start', handle),
                                  ('complete', handle)])


class TestLife(Case):
    def test_run_full(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, workers=1)
                handles = [queue.submit(work) for work in (fail, return_ten)]
                summary = queue.run_full(LONG, Osiiso.FailPolicy.FAIL_FIRST)
                self.assertEqual((summary.get_failed(), summary.get_cancelled()), (1, 1))
                self.assertEqual(handles[1].get_status(), Osiiso.Status.CANCELLED)
                queue.submit(return_ten)
                self.assertTrue(call_async(queue, 'run_full', 0, Osiiso.FailPolicy.CONTINUE, None).get_ok())
                self.raises(Osiiso.QueueError.INVALID, queue.run_full, float('nan'), Osiiso.FailPolicy.CONTINUE)

    def test_reset(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, shutdown_timeout=LONG)
                seen = []
                queue.connect('notify::closed', lambda queue, _: seen.append(queue.get_closed()))
                handle = queue.submit(return_ten)
                self.assertTrue(queue.shutdown(False))
                self.assertTrue(queue.reset())
                self.assertEqual((handle.get_value(), queue.get_completed_count()), (10, 0))
                self.assertEqual(seen, [True, False])
                waiting = queue.submit(return_ten)
                self.assertTrue(queue.reset())
                self.assertEqual(waiting.get_status(), Osiiso.Status.CANCELLED)
                queue.start()
                self.raises(Osiiso.QueueError.BUSY, queue.reset)


class TestGroups(Case):
    def test_map(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                group = queue.map(5, return_index, None,
                                  Osiiso.TaskOptions(group_id='squares', priority=2))
                self.assertEqual((group.get_n_items(), group.props.n_finished), (5, 0))
                self.assertEqual(group.get_item_type(), Osiiso.Handle.__gtype__)
                queue.run()
                self.assertEqual([handle.get_value() for handle in group], [0, 1, 2, 3, 4])
                self.assertEqual(group[2], group.get_handle(2))
                self.assertEqual([handle.props.index for handle in items(group)], [0, 1, 2, 3, 4])
                self.assertEqual({handle.get_group_id() for handle in group}, {'squares'})
                self.assertIsNone(group.get_handle(5))
                self.assertIsNone(group.get_item(5))
                self.assertEqual(group.props.n_finished, 5)

    def test_submit(self):
        queue = Osiiso.Queue.new('main-loop')
        group = queue.new_group('id')
        changes = []
        group.connect('items-changed', lambda group, *change: changes.append(change))
        first = group.submit(return_index)
        second = group.submit(return_index, options=Osiiso.TaskOptions(name='second'))
        self.assertEqual(changes, [(0, 0, 1), (1, 0, 1)])
        queue.run()
        self.assertEqual(items(group), [first, second])
        self.assertEqual((first.get_value(), second.get_value()), (0, 1))
        self.assertEqual((group.get_group_id(), second.props.group_id), ('id', 'id'))
        self.assertNotEqual(queue.new_group(None).get_group_id(),
                            queue.new_group(None).get_group_id())

    def test_dropped_group(self):
        queue = Osiiso.Queue.new('main-loop')
        handle = queue.new_group('id').submit(return_ten)
        gc.collect()
        queue.run()
        self.assertEqual(handle.get_value(), 10)

    def test_wait_async(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                group = queue.map(3, return_index)
                summary = call_async(group, 'wait', None)
                self.assertEqual([result.get_value() for result in summary], [0, 1, 2])

    def test_next_completed(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, workers=1)
                group = queue.new_group(None)
                handles = [group.submit(return_ten, options=Osiiso.TaskOptions(priority=priority))
                           for priority in (5, 4, 6)]
                order = []
                while (handle := call_async(group, 'next_completed', None)) is not None:
                    order.append(handle)
                self.assertEqual(order, [handles[1], handles[0], handles[2]])

    def test_cancel(self):
        queue = Osiiso.Queue.new('main-loop')
        group = queue.map(4, return_index)
        self.assertTrue(group.get_handle(1).cancel())
        self.assertEqual(group.cancel(), 3)
        self.assertEqual(queue.dup_summary().get_cancelled(), 4)


class TestWaiting(Case):
    def test_run_async(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                queue.map(3, return_index)
                self.assertEqual(call_async(queue, 'run', None).get_succeeded(), 3)
                # A second run covers what came after the first.
                queue.submit(return_ten)
                self.assertEqual(call_async(queue, 'run', None).get_succeeded(), 1)
                self.assertEqual(queue.dup_summary().get_succeeded(), 4)

    def test_wait_async(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                handle = queue.submit(fail)
                self.assertTrue(call_async(handle, 'wait', None))
                self.assertEqual(handle.props.status, Osiiso.Status.FAILED)
                self.assertTrue(call_async(handle, 'wait', None))

    def test_join_async(self):
        queue = Osiiso.Queue.new('thread-pool')
        handle = queue.submit(return_ten)
        self.assertTrue(call_async(queue, 'join', None))
        self.assertEqual(handle.get_value(), 10)
        self.assertTrue(queue.join())

    def test_cancelled_wait(self):
        queue = Osiiso.Queue.new('main-loop')
        kept = []
        handle = queue.submit(lambda attempt, *_: kept.append(attempt.defer()))
        cancellable = Gio.Cancellable()
        GLib.idle_add(cancellable.cancel)
        self.raises(Gio.IOErrorEnum.CANCELLED, call_async, handle, 'wait', cancellable,
                    domain=Gio.io_error_quark())
        self.raises(Gio.IOErrorEnum.CANCELLED, queue.run, cancellable,
                    domain=Gio.io_error_quark())
        kept.pop().return_int(1)
        queue.run()
        self.assertEqual(handle.get_value(), 1)

    def test_blocking_wait(self):
        queue = Osiiso.Queue.new('thread-pool')
        handle = queue.submit(return_ten)
        self.assertTrue(handle.wait(LONG))
        self.assertEqual(handle.get_value(), 10)
        self.assertEqual(queue.map(3, return_index).wait(-1).get_succeeded(), 3)
        release = threading.Event()
        stuck = queue.submit(lambda *_: release.wait(LONG))
        self.raises(Gio.IOErrorEnum.TIMED_OUT, stuck.wait, 0, domain=Gio.io_error_quark())
        release.set()
        self.assertTrue(stuck.wait(LONG))

    def test_would_deadlock(self):
        queue = Osiiso.Queue.new('main-loop')
        handle = queue.submit(return_ten)
        group = queue.map(2, return_index)
        self.raises(Osiiso.QueueError.WOULD_DEADLOCK, handle.wait, -1)
        self.raises(Osiiso.QueueError.WOULD_DEADLOCK, group.wait, -1)
        inside = []

        def work(attempt, *_):
            inside.append(self.raises(Osiiso.QueueError.WOULD_DEADLOCK, queue.run))
            inside.append(self.raises(Osiiso.QueueError.WOULD_DEADLOCK, queue.join))

        queue.submit(work)
        queue.run()
        self.assertEqual(len(inside), 2)
        self.assertEqual(handle.get_value(), 10)
        self.assertTrue(handle.wait(-1))

    def test_shutdown(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                closed = []
                queue.connect('notify::closed', lambda queue, pspec: closed.append(queue.props.closed))
                handle = queue.submit(return_ten)
                self.assertTrue(call_async(queue, 'shutdown', False, None))
                self.assertEqual(handle.get_value(), 10)
                iterate_until(lambda: closed)
                self.assertEqual(closed, [True])
                self.raises(Osiiso.QueueError.CLOSED, queue.submit, return_ten)
                self.raises(Osiiso.QueueError.CLOSED, queue.run)

    def test_shutdown_by_force(self):
        queue = Osiiso.Queue.new('main-loop')
        handle = queue.submit(return_ten)
        self.assertTrue(queue.shutdown(True))
        self.assertEqual(handle.props.status, Osiiso.Status.CANCELLED)

    def test_pause(self):
        queue = Osiiso.Queue.new('main-loop')
        queue.pause()
        queue.map(2, return_index)
        queue.submit(return_ten, options=Osiiso.TaskOptions(delay=LONG)).cancel()
        queue.submit(return_ten, options=Osiiso.TaskOptions(delay=LONG))
        queue.start()
        self.settle()
        self.assertTrue(queue.props.paused)
        self.assertEqual((queue.props.pending_count, queue.props.scheduled_count,
                          queue.props.active_count, queue.props.completed_count), (3, 1, 0, 1))
        queue.resume()
        iterate_until(lambda: queue.get_completed_count() == 3)
        self.assertFalse(queue.get_paused())
        queue.cancel()
        self.assertTrue(queue.shutdown(False))


class TestValues(Case):
    def value_of(self, report, backend='main-loop'):
        queue = Osiiso.Queue.new(backend)
        handle = queue.submit(lambda attempt, *_: report(attempt))
        queue.run().check()
        # The copy, because PyGObject does not copy boxed values, and the handle
        # goes here.
        value = handle.dup_value()
        self.assertEqual(handle.get_value(), value)
        self.assertEqual(handle.dup_result().get_value(), value)
        return value

    def test_plain(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                def of(method, value):
                    return self.value_of(lambda attempt: getattr(attempt, method)(value), backend)

                self.assertEqual(of('return_int', 7), 7)
                self.assertEqual(of('return_int', -2 ** 63), -2 ** 63)
                self.assertEqual(of('return_double', 0.5), 0.5)
                self.assertIs(of('return_boolean', True), True)
                self.assertEqual(of('return_string', 'žluť'), 'žluť')
                self.assertIsNone(of('return_string', None))
                self.assertEqual(of('return_bytes', GLib.Bytes(b'\0\xff')).get_data(), b'\0\xff')
                self.assertEqual(of('return_variant', GLib.Variant('(si)', ('a', 1))).unpack(),
                                 ('a', 1))
                self.assertIsNone(self.value_of(Osiiso.Attempt.return_none, backend))
                self.assertIsNone(self.value_of(lambda attempt: None, backend))

    def test_object(self):
        item = Gio.SimpleAction.new('name', None)
        for backend in BACKENDS:
            with self.subTest(backend):
                self.assertIs(self.value_of(lambda attempt: attempt.return_object(item), backend),
                              item)

    def test_gvalue(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                def of(value):
                    return self.value_of(lambda attempt: attempt.return_value(value), backend)

                self.assertEqual(of(GObject.Value(int, 5)), 5)
                self.assertEqual(of(GObject.Value(str, 'text')), 'text')
                self.assertEqual(of(GObject.Value(GObject.TYPE_STRV, ['a', 'b'])), ['a', 'b'])
                self.assertEqual(of(GObject.Value(Osiiso.Mode, Osiiso.Mode.INFINITE)),
                                 Osiiso.Mode.INFINITE)
                # What is no GValue is made one.
                self.assertEqual(of('text'), 'text')
                self.assertEqual(of(12), 12)

    def test_python_object(self):
        value = {'a': [1, 2]}
        for backend in BACKENDS:
            with self.subTest(backend):
                boxed = GObject.Value(GObject.TYPE_PYOBJECT, value)
                self.assertIs(self.value_of(lambda attempt: attempt.return_value(boxed), backend),
                              value)


class TestErrors(Case):
    def error_of(self, report, **options):
        queue = Osiiso.Queue.new('main-loop')
        handle = queue.submit(lambda attempt, *_: report(attempt),
                              options=Osiiso.TaskOptions(**options))
        queue.run()
        self.assertEqual(handle.props.status, Osiiso.Status.FAILED)
        self.assertIsNone(handle.get_value())
        error = handle.dup_error()
        result = handle.dup_result()
        self.assertEqual(result.props.message, error.message)
        for other in (result.dup_error(), result.props.error):
            self.assertEqual((other.domain, other.code, other.message),
                             (error.domain, error.code, error.message))
        return error

    def test_return_error(self):
        for error in (GLib.Error.new_literal(Gio.io_error_quark(), 'text', Gio.IOErrorEnum.EXISTS),
                      GLib.Error('text', GLib.quark_to_string(Gio.io_error_quark()),
                                 Gio.IOErrorEnum.EXISTS)):
            self.assert_error(self.error_of(lambda attempt: attempt.return_error(error)),
                              Gio.io_error_quark(), Gio.IOErrorEnum.EXISTS, 'text')
            # It was copied.
            self.assertEqual(error.message, 'text')

    def test_return_caught_error(self):
        def work(attempt):
            try:
                Gio.File.new_for_path('/nonexistent/file').load_contents(None)
            except GLib.Error as error:
                attempt.return_error(error)

        self.assert_error(self.error_of(work), Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND)

    def test_return_error_literal(self):
        error = self.error_of(lambda attempt: attempt.return_error_literal(
            GLib.quark_from_string('test-domain'), -5, 'žluť'))
        self.assertEqual((error.domain, error.code, error.message), ('test-domain', -5, 'žluť'))

    def test_retry_after(self):
        numbers = []

        def work(attempt):
            numbers.append(attempt.get_number())
            attempt.retry_after(0, GLib.Error.new_literal(Osiiso.QueueError.quark(), 'later',
                                                          Osiiso.QueueError.FULL))

        error = self.error_of(work, retries=2, retry_delay=LONG)
        self.assert_error(error, Osiiso.QueueError.quark(), Osiiso.QueueError.FULL, 'later')
        self.assertEqual(numbers, [1, 2, 3])

    def test_first_report_counts(self):
        error = self.error_of(lambda attempt: (attempt.return_error_literal(
            Osiiso.QueueError.quark(), Osiiso.QueueError.FAILED, 'first'), attempt.return_int(1)))
        self.assertEqual(error.message, 'first')

    def test_abandoned(self):
        self.assert_error(self.error_of(lambda attempt: attempt.defer() and None),
                          Osiiso.QueueError.quark(), Osiiso.QueueError.ABANDONED)

    def test_not_found(self):
        message = self.raises(Osiiso.QueueError.NOT_FOUND, Osiiso.Queue.new, 'no-such-backend')
        for name in ('no-such-backend', *BACKENDS):
            self.assertIn(name, message)
        self.raises(Osiiso.QueueError.NOT_FOUND, Osiiso.Backend.create, 'no-such-backend')
        queue = Osiiso.Queue(backend_name='no-such-backend')
        self.assertIsNone(queue.props.backend)
        for call in (queue.start, queue.run, lambda: queue.submit(return_ten),
                     lambda: queue.map(3, return_index), lambda: queue.push(return_ten)):
            self.raises(Osiiso.QueueError.NOT_FOUND, call)
        self.raises(Osiiso.QueueError.NOT_FOUND, call_async, queue, 'run', None)

    def test_tasks(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                handles = [queue.submit(return_ten) for _ in range(3)]
                tasks = queue.get_tasks()
                self.assertEqual(list(tasks), handles)
                queue.run()
                self.assertEqual(len(tasks), 0)

    def test_options_by_name(self):
        """Options in the place of the user data are user data, which nothing here can tell."""
        queue = Osiiso.Queue.new('main-loop')
        options = Osiiso.TaskOptions(name='named')
        given = []
        handle = queue.submit(lambda attempt, *data: given.append(data), options)
        named = queue.submit(return_ten, options=options)
        queue.run()
        self.assertEqual(given, [(options,)])
        self.assertNotEqual(handle.props.name, 'named')
        self.assertEqual(named.props.name, 'named')

    def test_invalid(self):
        queue = Osiiso.Queue.new('main-loop')
        for options in (Osiiso.TaskOptions(timeout=-1), Osiiso.TaskOptions(retries=-2)):
            self.raises(Osiiso.QueueError.INVALID, options.validate)
            self.raises(Osiiso.QueueError.INVALID, queue.submit, return_ten, None, options)
            self.raises(Osiiso.QueueError.INVALID, queue.push, return_ten, None, options)
            self.raises(Osiiso.QueueError.INVALID, queue.map, 2, return_ten, None, options)
            self.raises(Osiiso.QueueError.INVALID, queue.new_group(None).submit, return_ten, None,
                        options)
        for value in (-1, float('nan'), float('inf')):
            queue.props.timeout = value
            self.raises(Osiiso.QueueError.INVALID, queue.run)
            self.raises(Osiiso.QueueError.INVALID, call_async, queue, 'run', None)
            for name in ('timeout', 'rate'):
                self.raises(Osiiso.QueueError.INVALID,
                            Osiiso.Queue(backend_name='main-loop', **{name: value}).run)
            self.raises(Osiiso.QueueError.INVALID,
                        Osiiso.Queue(backend_name='main-loop', shutdown_timeout=value).shutdown,
                        False)

    def test_busy(self):
        queue = Osiiso.Queue.new('main-loop')
        messages = []
        queue.connect('on-complete', lambda *_: messages.append(
            self.raises(Osiiso.QueueError.BUSY, queue.run)))
        queue.submit(return_ten)
        queue.run()
        self.assertEqual(len(messages), 1)
        other = Osiiso.Queue.new_with_backend(queue.props.backend)
        self.raises(Osiiso.QueueError.BUSY, other.submit, return_ten)


class TestCancel(Case):
    def assert_cancelled(self, handle):
        self.assertEqual(handle.props.status, Osiiso.Status.CANCELLED)
        self.assert_error(handle.dup_error(), Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
        self.assertFalse(handle.cancel())

    def test_pending(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                ran = []
                handle = queue.submit(lambda *_: ran.append(1))
                self.assertTrue(handle.cancel())
                self.assert_cancelled(handle)
                self.assertEqual(queue.dup_summary().get_cancelled(), 1)
                queue.run()
                self.assertEqual(ran, [])

    def test_deferred(self):
        queue = Osiiso.Queue.new('main-loop')
        told = []
        kept = []

        def work(attempt, *_):
            attempt.get_cancellable().connect(lambda *_: told.append(threading.get_ident()))
            kept.append(attempt.defer())
            GLib.idle_add(handle.cancel)

        handle = queue.submit(work)
        queue.run()
        self.assert_cancelled(handle)
        self.assertEqual(told, [MAIN_THREAD])
        self.assertTrue(kept[0].get_cancellable().is_cancelled())
        self.assertFalse(kept[0].is_open())
        kept[0].return_int(1)
        self.assertIsNone(handle.get_value())

    def test_running_in_thread(self):
        queue = Osiiso.Queue.new('thread-pool')
        inside = threading.Event()
        told = threading.Event()

        def work(attempt, *_):
            attempt.get_cancellable().connect(lambda *_: told.set())
            inside.set()
            told.wait(LONG)

        handle = queue.submit(work)
        queue.start()
        inside.wait(LONG)
        self.assertTrue(handle.cancel())
        queue.run()
        self.assert_cancelled(handle)
        self.assertTrue(told.wait(LONG))

    def test_timeout(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                kept = []
                handle = queue.submit(lambda attempt, *_: kept.append(attempt.defer()),
                                      options=Osiiso.TaskOptions(timeout=0.001, name='slow'))
                queue.run()
                self.assertEqual(handle.props.status, Osiiso.Status.FAILED)
                self.assert_error(handle.dup_error(), Gio.io_error_quark(),
                                  Gio.IOErrorEnum.TIMED_OUT)


class TestProgress(Case):
    def test_notify(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                seen = []
                told = threading.Event()

                def on_progress(handle, pspec):
                    seen.append((handle.props.progress, handle.props.status_text,
                                 threading.get_ident()))
                    if backend == 'thread-pool':
                        told.set()
                    else:
                        kept.pop().return_none()

                def work(attempt, *_):
                    attempt.set_progress(0.5, 'half')
                    if backend == 'thread-pool':
                        told.wait(LONG)
                    else:
                        kept.append(attempt.defer())

                kept = []
                handle = queue.submit(work)
                handle.connect('notify::progress', on_progress)
                queue.run()
                self.assertEqual(seen, [(0.5, 'half', MAIN_THREAD)])
                self.assertEqual((handle.get_progress(), handle.dup_status_text()), (0.5, 'half'))


class TestProperties(Case):
    def test_all_are_readable(self):
        queue = Osiiso.Queue.new('thread-pool')
        group = queue.map(2, return_index)
        summary = queue.run()
        for item in (queue, queue.props.backend, group, group.get_handle(0), summary,
                     summary.get_item(0), Osiiso.TaskOptions()):
            for pspec in item.list_properties():
                with self.subTest(f'{item.__gtype__.name}:{pspec.name}'):
                    if pspec.flags & GObject.ParamFlags.READABLE:
                        item.get_property(pspec.name)

    def test_times(self):
        queue = Osiiso.Queue.new('thread-pool')
        before = GLib.get_monotonic_time() / 1e6
        handle = queue.submit(return_ten)
        queue.run()
        after = GLib.get_monotonic_time() / 1e6
        times = [before, handle.props.created, handle.props.started, handle.props.finished, after]
        self.assertEqual(times, sorted(times))
        self.assertEqual(handle.props.scheduled_for, 0)
        self.assertAlmostEqual(handle.props.duration, times[3] - times[2], places=5)


class TestSummary(Case):
    def setUp(self):
        super().setUp()
        self.queue = Osiiso.Queue(backend_name='main-loop', workers=1)
        self.good = self.queue.submit(return_ten, options=Osiiso.TaskOptions(name='good'))
        self.bad = self.queue.submit(fail, options=Osiiso.TaskOptions(name='bad', group_id='id'))
        self.lost = self.queue.submit(return_ten, options=Osiiso.TaskOptions(name='lost'))
        self.queue.connect('on-start', lambda *_: self.lost.cancel())
        self.summary = self.queue.run()

    def ids(self, model):
        return [result.props.task_id for result in model]

    def test_counts(self):
        summary = self.summary
        self.assertEqual((summary.props.total_submitted, summary.props.succeeded,
                          summary.props.failed, summary.props.cancelled), (3, 1, 1, 1))
        self.assertFalse(summary.props.ok)
        self.assertFalse(summary.props.timed_out)
        self.assertGreater(summary.props.duration, 0)

    def test_models(self):
        good, bad, lost = (handle.props.task_id for handle in (self.good, self.bad, self.lost))
        summary = self.summary
        self.assertEqual(summary.get_item_type(), Osiiso.TaskResult.__gtype__)
        self.assertEqual(len(summary), 3)
        self.assertEqual(self.ids(summary), [lost, good, bad])
        self.assertEqual(self.ids(summary.successes()), [good])
        self.assertEqual(self.ids(summary.errors()), [bad])
        self.assertEqual(self.ids(summary.cancellations()), [lost])
        self.assertEqual(self.ids(summary.by_name('good')), [good])
        self.assertEqual(self.ids(summary.by_name('nobody')), [])
        self.assertEqual(self.ids(summary.by_group('id')), [bad])
        self.assertEqual(self.ids(summary.by_group(None)), [lost, good])
        self.assertEqual(summary.list_names(), ['lost', 'good', 'bad'])
        self.assertEqual(summary.list_groups(), ['id'])
        self.assertEqual(summary.by_task_id(bad).props.message, 'busy')
        self.assertIsNone(summary.by_task_id(2 ** 50))

    def test_check(self):
        message = self.raises(Osiiso.QueueError.FAILED, self.summary.check)
        self.assertIn('bad: busy', message)
        self.queue.submit(return_ten)
        self.assertTrue(self.queue.run().check())

    def test_to_string(self):
        text = self.summary.to_string()
        for part in ('COMPLETED WITH ERRORS', 'bad', 'busy'):
            self.assertIn(part, text)

    def test_outlives_queue(self):
        self.queue.clear_results()
        self.queue = None
        self.settle()
        self.assertEqual(self.summary.successes()[0].get_value(), 10)


class TestThreads(Case):
    def test_callbacks_run_in_threads(self):
        queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
        together = threading.Barrier(2, timeout=LONG)
        threads = set()

        def work(attempt, *_):
            # Passes only when two run at a time.
            together.wait()
            threads.add(threading.get_ident())
            attempt.return_int(attempt.get_index())

        group = queue.map(2, work)
        queue.run().check()
        self.assertEqual([handle.get_value() for handle in group], [0, 1])
        self.assertEqual(len(threads), 2)
        self.assertNotIn(MAIN_THREAD, threads)

    def test_submit_in_task(self):
        queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
        handles = []

        def outer(attempt, *_):
            inner = queue.submit(return_ten)
            inner.wait(LONG)
            handles.append(inner)
            attempt.return_int(inner.get_value() + 1)

        handle = queue.submit(outer)
        queue.run().check()
        self.assertEqual((handles[0].get_value(), handle.get_value()), (10, 11))

    def test_initializer(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, workers=2)
                # Not a threading.local(): PyGObject forgets those of a thread that is
                # not Python's own with the end of each callback.
                ready = set()

                def initialize(*_):
                    ready.add(threading.get_ident())
                    return True

                self.assertTrue(queue.set_initializer(initialize))
                handle = queue.submit(lambda attempt, *_: attempt.return_boolean(threading.get_ident() in ready))
                queue.run().check()
                self.assertTrue(handle.get_value())
                self.raises(Osiiso.QueueError.BUSY, queue.set_initializer, None)

    def test_initializer_raises(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, workers=1)

                def initialize(*_):
                    raise GLib.Error.new_literal(Gio.io_error_quark(), 'busy', Gio.IOErrorEnum.BUSY)

                queue.set_initializer(initialize)
                handle = queue.submit(return_ten)
                self.assertEqual(queue.run().get_failed(), 1)
                self.assert_error(handle.dup_error(), Gio.io_error_quark(), Gio.IOErrorEnum.BUSY,
                                  'worker initializer failed: busy')
                self.assertTrue(queue.shutdown(False))
                self.assertTrue(queue.reset())
                self.assertTrue(queue.set_initializer(None))
                queue.submit(return_ten)
                queue.run().check()

    def test_next_completed(self):
        queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
        group = queue.map(10, return_index)
        seen = set()
        while (handle := group.next_completed(LONG)) is not None:
            seen.add(handle.get_value())
        self.assertEqual(seen, set(range(10)))
        queue.run()

    def test_report_from_other_thread(self):
        queue = Osiiso.Queue.new('main-loop')
        threads = []

        def work(attempt, *_):
            kept = attempt.defer()
            threads.append(threading.Thread(target=lambda: kept.return_string('thread')))
            threads[-1].start()

        handles = [queue.submit(work) for _ in range(10)]
        queue.run()
        for thread in threads:
            thread.join()
        self.assertEqual({handle.get_value() for handle in handles}, {'thread'})

    def test_run_elsewhere(self):
        """Another thread waits, this one has the context."""
        queue = Osiiso.Queue.new('thread-pool')
        events = Events(queue)
        handle = queue.submit(return_ten)
        summaries = []
        thread = threading.Thread(target=lambda: summaries.append(queue.run()))
        thread.start()
        iterate_until(lambda: len(events.seen) == 2)
        thread.join()
        self.assertEqual(summaries[0].get_succeeded(), 1)
        self.assertEqual(handle.get_value(), 10)
        self.assertEqual(events.threads, {MAIN_THREAD})


class InlineBackend(Osiiso.Backend):
    """Runs tasks in the thread that wakes it."""
    __gtype_name__ = 'TestPyInlineBackend'

    greeting = GObject.Property(type=str, default='hello')

    def __init__(self, **properties):
        super().__init__(**properties)
        self.calls = []

    def do_get_capabilities(self):
        return CLOSURES

    def do_get_default_workers(self):
        return 3

    def do_open(self):
        self.calls.append('open')
        return True

    def do_wake(self, n):
        self.calls.append('wake')
        while (attempt := self.take()) is not None:
            attempt.run()

    def do_interrupt(self, attempt, reason):
        self.calls.append((attempt.get_task_id(), reason))

    def do_workers_changed(self):
        self.calls.append('workers')

    def do_close(self, force):
        self.calls.append('close')
        self.closed()


class ThreadBackend(Osiiso.Backend):
    """Runs tasks in one thread of Python's, which blocks until there are some."""
    __gtype_name__ = 'TestPyThreadBackend'

    def do_get_default_workers(self):
        return 1

    def do_open(self):
        self.thread = threading.Thread(target=self.pull)
        self.thread.start()
        return True

    def pull(self):
        while (attempt := self.take_wait()) is not None:
            attempt.run()
        self.closed()

    def do_close(self, force):
        # The thread sees for itself that the queue is over.
        pass


class BrokenBackend(Osiiso.Backend):
    __gtype_name__ = 'TestPyBrokenBackend'

    def do_open(self):
        raise GLib.Error.new_literal(Gio.io_error_quark(), 'broken', Gio.IOErrorEnum.BUSY)


class SilentBackend(Osiiso.Backend):
    __gtype_name__ = 'TestPySilentBackend'

    def do_open(self):
        return False


class TestBackend(Case):
    @classmethod
    def setUpClass(cls):
        for name, backend in (('py-inline', InlineBackend), ('py-thread', ThreadBackend),
                              ('py-broken', BrokenBackend), ('py-silent', SilentBackend)):
            Osiiso.Backend.register(name, backend)

    def test_by_name(self):
        queue = Osiiso.Queue.new('py-inline')
        backend = queue.props.backend
        self.assertIsInstance(backend, InlineBackend)
        self.assertEqual(backend.get_capabilities(), CLOSURES)
        self.assertEqual(backend.get_workers(), 3)
        self.assertEqual(backend.get_context(), CONTEXT)
        events = Events(queue)
        handle = queue.submit(fail, options=Osiiso.TaskOptions(retries=1))
        group = queue.map(5, return_index)
        summary = queue.run()
        self.assertEqual([kind for kind, *_ in events.of(handle)],
                         ['start', 'retry', 'start', 'complete'])
        self.assertEqual([member.get_value() for member in group], [0, 1, 2, 3, 4])
        self.assertEqual((summary.get_succeeded(), summary.get_failed()), (5, 1))
        queue.set_workers(7)
        self.assertEqual(backend.get_workers(), 7)
        self.assertTrue(queue.shutdown(False))
        self.assertEqual(backend.calls[:2], ['open', 'wake'])
        self.assertEqual([call for call in backend.calls if call != 'wake'],
                         ['open', 'workers', 'close'])

    def test_interrupt(self):
        queue = Osiiso.Queue.new_with_backend(InlineBackend(greeting='hi'))
        self.assertEqual(queue.props.backend.props.greeting, 'hi')
        kept = []
        handle = queue.submit(lambda attempt, *_: kept.append(attempt.defer()))
        queue.start()
        self.assertTrue(handle.cancel())
        self.assertIn((handle.props.task_id, Osiiso.InterruptReason.CANCELLED),
                      queue.props.backend.calls)

    def test_own_thread(self):
        queue = Osiiso.Queue.new('py-thread')
        threads = set()

        def work(attempt, *_):
            threads.add(threading.get_ident())
            return_index(attempt)

        group = queue.map(20, work)
        queue.run().check()
        self.assertEqual([handle.get_value() for handle in group], list(range(20)))
        self.assertEqual(threads, {queue.props.backend.thread.ident})
        self.assertTrue(queue.shutdown(False))
        queue.props.backend.thread.join()

    def test_refuses_to_open(self):
        queue = Osiiso.Queue.new('py-broken')
        queue.submit(return_ten)
        self.assertEqual(self.raises(Gio.IOErrorEnum.BUSY, queue.run, domain=Gio.io_error_quark()),
                         'broken')
        queue = Osiiso.Queue.new('py-silent')
        queue.submit(return_ten)
        self.raises(Osiiso.QueueError.FAILED, queue.run)

    def test_register(self):
        names = Osiiso.Backend.list_names()
        for name in (*BACKENDS, 'py-inline', 'py-thread'):
            self.assertIn(name, names)
        self.assertTrue(Osiiso.Backend.register('py-inline', InlineBackend))
        self.raises(Osiiso.QueueError.BUSY, Osiiso.Backend.register, 'py-inline', ThreadBackend)
        self.raises(Osiiso.QueueError.INVALID, Osiiso.Backend.register, 'No Name', InlineBackend)
        self.raises(Osiiso.QueueError.INVALID, Osiiso.Backend.register, 'py-queue', Osiiso.Queue)
        self.raises(Osiiso.QueueError.INVALID, Osiiso.Backend.register, 'py-abstract',
                    Osiiso.Backend)


class TestLeaks(Case):
    def watch(self, name, item):
        self.alive.add(name)
        item.weak_ref(self.alive.discard, name)

    def setUp(self):
        super().setUp()
        self.alive = set()

    def test_objects_go(self):
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue.new(backend)
                queue.connect('on-complete', lambda *_: None)
                handle = queue.submit(fail, options=Osiiso.TaskOptions(retries=1))
                group = queue.map(3, return_index)
                options = Osiiso.TaskOptions(name='name')
                other = queue.submit(return_ten, options=options)
                self.watch('value', value := Gio.SimpleAction.new('name', None))
                queue.submit(lambda attempt, data: attempt.return_object(data), value)
                self.watch('queue', queue)
                self.watch('backend', queue.props.backend)
                self.watch('handle', handle)
                self.watch('other', other)
                self.watch('group', group)
                self.watch('member', group.get_handle(0))
                self.watch('options', options)
                summary = queue.run()
                self.watch('summary', summary)
                self.watch('result', summary.get_item(0))
                self.assertTrue(call_async(handle, 'wait', None))
                self.assertTrue(queue.shutdown(False))
                del queue, handle, group, other, options, value, summary
                # A thread of the pool may be on its way out with the backend.
                iterate_until(lambda: self.settle() or self.alive <= {'backend'})

    def test_callbacks_go(self):
        for backend in BACKENDS:
            for end in ('success', 'failure', 'cancel', 'refused', 'never run'):
                with self.subTest(f'{backend}, {end}'):
                    gone = []
                    self.use_callback(Osiiso.Queue.new(backend), end, gone)
                    self.settle()
                    self.assertEqual(gone, [MAIN_THREAD])

    def use_callback(self, queue, end, gone):
        def work(attempt, *_):
            if end == 'failure':
                fail(attempt)

        weakref.finalize(work, lambda: gone.append(threading.get_ident()))
        if end == 'refused':
            queue.shutdown(True)
            self.raises(Osiiso.QueueError.CLOSED, queue.submit, work)
            return
        handle = queue.submit(work)
        if end == 'cancel':
            handle.cancel()
        if end != 'never run':
            queue.run()

    def test_many(self):
        """2 000 tasks with collections in between."""
        for backend in BACKENDS:
            with self.subTest(backend):
                queue = Osiiso.Queue(backend_name=backend, keep_results=False)
                events = Events(queue)
                total = 0
                for _ in range(10):
                    handles = [queue.submit(return_ten, None, Osiiso.TaskOptions(priority=i % 5))
                               for i in range(100)]
                    group = queue.map(100, return_index)
                    gc.collect()
                    queue.run().check()
                    gc.collect()
                    total += sum(handle.get_value() for handle in handles)
                    total += sum(handle.get_value() for handle in group)
                    events.seen = [kind for kind, *_ in events.seen]
                    self.assertEqual((events.seen.count('start'), events.seen.count('complete')),
                                     (200, 200))
                    events.seen = []
                self.assertEqual(total, 10 * (100 * 10 + 4950))


class TestSurface(Case):
    def test_internals_are_hidden(self):
        """What is for C only, or private, is not there."""
        names = set(dir(Osiiso))
        for name in ('Record', 'Scheduler', 'Outbox', 'Batch', 'Submission', 'Waiter',
                     'TestHooks', 'private_test_hooks'):
            self.assertNotIn(name, names)
        self.assertFalse(hasattr(Osiiso.Attempt, 'return_new_error'))

    def test_version(self):
        version = (Osiiso.MAJOR_VERSION, Osiiso.MINOR_VERSION, Osiiso.MICRO_VERSION)
        self.assertEqual('.'.join(map(str, version)), Osiiso.VERSION_S)

    def test_priorities(self):
        self.assertLess(Osiiso.PRIORITY_MIN, Osiiso.PRIORITY_DEFAULT)
        self.assertLess(Osiiso.PRIORITY_DEFAULT, Osiiso.PRIORITY_MAX)
        self.assertEqual(Osiiso.TaskOptions().props.priority, Osiiso.PRIORITY_DEFAULT)


if __name__ == '__main__':
    tap.main()
