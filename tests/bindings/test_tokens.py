#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tokens, as a Python layer uses them: functions and values stay in Python."""
import gc
import threading

import gi

gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, Osiiso  # noqa: E402

import tap  # noqa: E402

OK = int(Osiiso.Status.SUCCEEDED)
FAILED = int(Osiiso.Status.FAILED)
CANCELLED = int(Osiiso.Status.CANCELLED)


class Layer:
    """Runs Python functions that it knows by number."""

    def __init__(self, backend, workers=0, exchange=True, flags=Osiiso.CompletionFlags.NONE):
        self.queue = Osiiso.Queue(backend_name=backend, workers=workers)
        self.functions = {}
        self.values = {}
        self.ends = {}
        self.entered = 0
        self.batches = 0
        self.exchange = exchange
        assert self.queue.set_runner(self.run)
        assert self.queue.set_completions_func(flags, self.ended)

    def submit(self, function, options=None):
        token = len(self.functions) + 1
        self.functions[token] = function
        return token, self.queue.submit_token(token, options)

    def call(self, token, task_id, attempt):
        try:
            self.values[token] = self.functions[token]()
        except Exception as error:
            self.queue.token_failed(task_id, attempt, Gio.io_error_quark(), Gio.IOErrorEnum.FAILED, str(error), -1)

    def run(self, token, task_id, attempt, *_):
        self.entered += 1
        acknowledged = task_id
        if not self.exchange:
            self.call(token, task_id, attempt)
            self.queue.token_done(task_id, attempt)
            return acknowledged
        more = True
        while more:
            self.call(token, task_id, attempt)
            more, _, token, task_id, attempt = self.queue.exchange_token()
        return acknowledged

    def ended(self, tokens, statuses, *_):
        self.batches += 1
        self.ends.update(zip(tokens, statuses))


BACKENDS = ('main-loop', 'thread-pool')


class TestTokens(tap.Case):
    def test_values(self):
        for backend in BACKENDS:
            for exchange in (False, True):
                with self.subTest(backend=backend, exchange=exchange):
                    layer = Layer(backend, workers=1, exchange=exchange)
                    tokens = [layer.submit(lambda i=i: i * i)[0] for i in range(100)]
                    summary = layer.queue.run()
                    self.assertEqual(summary.props.succeeded, 100)
                    self.assertEqual([layer.values[token] for token in tokens], [i * i for i in range(100)])
                    self.assertEqual(layer.ends, {token: OK for token in tokens})
                    if exchange:
                        self.assertLess(layer.entered, 100)

    def test_failure_and_retry(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                layer = Layer(backend)
                calls = []

                def flaky():
                    calls.append(1)
                    if len(calls) < 3:
                        raise ValueError('not yet')
                    return 'at last'

                def broken():
                    raise ValueError('never')

                flaky_token, _ = layer.submit(flaky, Osiiso.TaskOptions(retries=5))
                broken_token, _ = layer.submit(broken)
                with self.assertRaises(GLib.Error) as raised:
                    layer.queue.run().check()
                self.assertIn('never', raised.exception.message)
                self.assertEqual(layer.values[flaky_token], 'at last')
                self.assertEqual(layer.ends, {flaky_token: OK, broken_token: FAILED})

    def test_later(self):
        """A token may be reported from another thread, long after its call."""
        pending = []

        def run(token, task_id, attempt, *_):
            pending.append((task_id, attempt))
            return task_id

        queue = Osiiso.Queue(backend_name='main-loop')
        queue.set_runner(run)
        queue.submit_token(1)
        queue.start()
        context = GLib.MainContext.default()
        while not pending:
            context.iteration(True)
        accepted = []
        thread = threading.Thread(target=lambda: accepted.append(queue.token_done(*pending[0])))
        thread.start()
        thread.join()
        self.assertTrue(queue.join())
        self.assertEqual(queue.get_completed_count(), 1)
        self.assertEqual(accepted, [True])
        self.assertFalse(queue.token_done(*pending[0]))

    def test_many(self):
        layer = Layer('thread-pool', workers=2)
        for i in range(5000):
            layer.functions[i] = lambda i=i: i
        ids = layer.queue.submit_tokens(0, 5000)
        self.assertEqual(len(set(ids)), 5000)
        gc.collect()
        self.assertTrue(layer.queue.run().props.ok)
        self.assertEqual(sum(layer.values.values()), sum(range(5000)))
        self.assertEqual(len(layer.ends), 5000)

    def test_room(self):
        """Tokens wait for room without blocking."""
        layer = Layer('main-loop')
        queue = layer.queue
        queue.set_size(2)
        tokens = [layer.submit(lambda: 'first')[0]]
        answers = []

        def submitted(_queue, result, finish):
            try:
                answers.append(finish(result))
            except GLib.Error as error:
                answers.append(error)

        cancellable = Gio.Cancellable()
        for i in range(2, 6):
            layer.functions[i] = lambda i=i: i
        queue.submit_tokens_async(2, 2, None, None, submitted, queue.submit_tokens_finish)
        queue.submit_token_async(4, None, None, submitted, queue.submit_token_finish)
        queue.submit_tokens_async(5, 1, None, cancellable, submitted, queue.submit_tokens_finish)
        queue.submit_tokens_async(5, 3, None, None, submitted, queue.submit_tokens_finish)
        queue.pause()
        cancellable.cancel()
        while len(answers) < 2:
            GLib.MainContext.default().iteration(True)
        queue.resume()
        self.assertTrue(queue.run().props.ok)
        while len(answers) < 4:
            GLib.MainContext.default().iteration(True)
        errors = [answer for answer in answers if isinstance(answer, GLib.Error)]
        self.assertEqual(sorted((error.domain, error.code) for error in errors), sorted([
            ('osiiso-queue-error-quark', int(Osiiso.QueueError.FULL)),
            ('g-io-error-quark', int(Gio.IOErrorEnum.CANCELLED))]))
        pairs, = (answer for answer in answers if isinstance(answer, list))
        one, = (answer for answer in answers if isinstance(answer, int))
        self.assertEqual([len(pairs), len({*pairs, one, 0})], [2, 4])
        self.assertEqual(layer.values, {tokens[0]: 'first', 2: 2, 3: 3, 4: 4})

    def test_cancelled(self):
        layer = Layer('main-loop')
        token, task_id = layer.submit(lambda: None)
        self.assertTrue(layer.queue.lookup(task_id).cancel())
        layer.queue.run()
        self.assertEqual(layer.ends, {token: CANCELLED})
        self.assertEqual(layer.values, {})

    def test_any_thread(self):
        layer = Layer('thread-pool', flags=Osiiso.CompletionFlags.ANY_THREAD)
        threads = set()
        queue = layer.queue
        queue.set_completions_func(Osiiso.CompletionFlags.ANY_THREAD, lambda *_: threads.add(threading.get_ident()))
        layer.submit(lambda: 1)
        queue.run()
        self.assertEqual(len(threads), 1)
        self.assertNotIn(threading.get_ident(), threads)

    def test_no_runner(self):
        queue = Osiiso.Queue(backend_name='main-loop')
        with self.assertRaises(GLib.Error) as raised:
            queue.submit_token(1)
        self.assertTrue(raised.exception.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.INVALID))


if __name__ == '__main__':
    tap.main()
