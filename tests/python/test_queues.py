# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all queues do, each test once for each of them: submitting, running, ends."""
import asyncio
import concurrent.futures
import time
from functools import partial

import pytest

import osiiso


def test_submit_and_run(kind):
    with kind.prepared(workers=2) as queue:
        handles = [queue.submit(kind.work.double, 1), queue.submit(kind.work.double, 2)]
        summary = kind.do(queue.run())
    assert summary.ok and summary.total_submitted == summary.succeeded == 2
    assert sorted(summary.values) == [2, 4]
    assert [handle.value() for handle in handles] == [2, 4]
    assert all(isinstance(handle, kind.handle_class) for handle in handles)


def test_options_reach_the_handle(kind):
    queue = kind.new(workers=1)
    options = osiiso.TaskOptions(priority=1, name='given', must_complete=True)
    handle = queue.submit(kind.work.double, 1, opts=options)
    assert (handle.priority, handle.name, handle.must_complete) == (1, 'given', True)
    handle = queue.submit(kind.work.double, 1, opts=options, priority=7)
    assert (handle.priority, handle.name) == (7, 'given')
    handle = queue.submit(kind.work.double, 1, priority=2, name='other', group_id='g', detached=True)
    assert (handle.priority, handle.name, handle.group_id, handle.detached) == (2, 'other', 'g', True)
    assert queue.submit(kind.work.double, 1).name == 'double'
    kind.do(queue.shutdown(force=True))


def test_unknown_option(kind):
    queue = kind.new()
    for call in (lambda: queue.submit(kind.work.double, 1, colour=1, bogus=2),
                 lambda: queue.map(kind.work.double, [1], colour=1, bogus=2),
                 lambda: queue.group(kind.work.double, [1], colour=1, bogus=2),
                 lambda: queue.task(colour=1, bogus=2)):
        with pytest.raises(TypeError, match=r'Unknown task option\(s\): bogus, colour$'):
            call()
    with pytest.raises(ValueError, match='timeout must be > 0'):
        queue.submit(kind.work.double, 1, timeout=0)
    assert queue.pending_count == 0


@pytest.mark.parametrize('options, message', [
    ({'workers': 0}, 'workers must be > 0'),
    ({'workers': -1}, 'workers must be > 0'),
    ({'size': -1}, 'size must be >= 0'),
    ({'timeout': 0}, 'timeout must be > 0'),
    ({'timeout': -1}, 'timeout must be > 0'),
    ({'rate': 0}, 'rate must be > 0'),
    ({'burst': 0}, 'burst must be >= 1'),
    ({'mode': 'sometimes'}, 'mode must be'),
    ({'fail_policy': 'ignore'}, 'fail_policy must be'),
    ({'on_timeout': 'explode'}, 'on_timeout must be'),
    ({'on_exit': 'explode'}, 'on_exit must be'),
    ({'workers': 1 << 32}, 'workers must be at most 4294967295; got 4294967296'),
    ({'size': float('inf')}, 'size must be at most 4294967295; got inf'),
    ({'burst': 1 << 70}, 'burst must be at most 4294967295; got 1180591620717411303424'),
])
def test_wrong_options_of_a_queue(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind.new(**options)


@pytest.mark.parametrize('name', ['workers', 'size', 'timeout', 'rate', 'burst'])
def test_options_of_a_queue_that_are_no_numbers(kind, name):
    with pytest.raises(TypeError, match=rf"^{name} must be a number, not 'many'$"):
        kind.new(**{name: 'many'})


@pytest.mark.parametrize('name', ['on_start', 'on_complete', 'on_retry'])
def test_hooks_of_a_queue_that_cannot_be_called(kind, name):
    with pytest.raises(TypeError, match=f'^{name} must be callable, not 3$'):
        kind.new(**{name: 3})


@pytest.mark.parametrize('queue_class', [osiiso.ThreadQueue, osiiso.ProcessQueue])
def test_initializer_that_cannot_be_called(queue_class):
    with pytest.raises(TypeError, match='^initializer must be callable, not 3$'):
        queue_class(initializer=3)
    with pytest.raises(TypeError, match='^initargs must be a tuple, not 3$'):
        queue_class(initializer=print, initargs=3)


@pytest.mark.parametrize('given', [5, {'priority': 1}])
def test_options_of_a_task_that_are_none(kind, given):
    queue = kind.new()
    for submit in (lambda: queue.submit(abs, -1, opts=given), lambda: queue.map(abs, [-1], opts=given),
                   lambda: queue.group(abs, [-1], opts=given), lambda: queue.task(given)):
        with pytest.raises(TypeError, match='^opts must be a TaskOptions, not '):
            submit()


@pytest.mark.parametrize('name', ['priority', 'retries', 'delay', 'run_at'])
def test_options_of_a_task_that_are_no_numbers(kind, name):
    queue = kind.new()
    with pytest.raises(TypeError, match=f"^{name} must be a number, not 'soon'$"):
        queue.submit(abs, -1, **{name: 'soon'})


def test_positional_options_are_refused(kind):
    with pytest.raises(TypeError):
        kind.queue_class(2)
    with pytest.raises(TypeError):
        kind.new(colour='red')


def test_partial(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(partial(kind.work.add, b=5), 1)
        kind.do(queue.run())
    assert handle.value() == 6


def test_map(kind):
    with kind.prepared(workers=2) as queue:
        handles = queue.map(kind.work.double, range(20))
        kind.do(queue.run())
    assert isinstance(handles, list)
    assert [handle.value() for handle in handles] == [2 * i for i in range(20)]


def test_map_tuples_and_dicts(kind):
    with kind.prepared(workers=2) as queue:
        handles = queue.map(kind.work.add, [(1, 2), {'a': 3}, {'a': 3, 'b': 4}, 5])
        kind.do(queue.run())
    assert [handle.value() for handle in handles] == [3, 13, 7, 15]


def test_map_of_nothing(kind):
    with kind.opened() as queue:
        assert queue.map(kind.work.double, []) == []
        group = queue.group(kind.work.double, [])
        assert len(group) == 0
        assert kind.do(group.values()) == ()


def test_group_of_one_callable(kind):
    with kind.prepared(workers=2) as queue:
        group = queue.group(kind.work.double, [1, 2, 3], group_id='numbers')
        summary = kind.do(queue.run())
        own = kind.do(group.wait())
        assert kind.do(group.values()) == (2, 4, 6)
    assert group.group_id == 'numbers' and len(group) == 3
    assert [handle.group_id for handle in group] == ['numbers'] * 3
    assert own.values == (2, 4, 6) and not own.timed_out
    assert len(summary.by_group()['numbers']) == 3


def test_group_of_different_callables(kind):
    with kind.prepared(workers=2) as queue:
        group = queue.group([(kind.work.double, 4), (kind.work.add, 1, 2)], group_id='mixed')
        queue.submit(kind.work.double, 1)
        summary = kind.do(queue.run())
        assert kind.do(group.values()) == (8, 3)
    assert {key: len(results) for key, results in summary.by_group().items()} == {'mixed': 2, None: 1}


@pytest.mark.parametrize('entry', [(), 'abc', [abs, 1], (None, 1), 5])
def test_group_with_a_wrong_entry(kind, entry):
    queue = kind.new()
    with pytest.raises(TypeError, match=r'each group entry must be a tuple of \(callable, \*args\)'):
        queue.group([(kind.work.double, 1), entry])
    assert queue.pending_count == 0


def test_group_ids(kind):
    queue = kind.new()
    assert queue.group(kind.work.double, [1]).group_id != queue.group(kind.work.double, [1]).group_id
    assert queue.group(kind.work.double, [1], opts=osiiso.TaskOptions(group_id='of-options')).group_id == 'of-options'
    group = queue.group(kind.work.double, [1], opts=osiiso.TaskOptions(group_id='of-options'), group_id='explicit')
    assert group.group_id == group.handles[0].group_id == 'explicit'
    kind.do(queue.shutdown(force=True))


def test_group_with_a_failure(kind):
    with kind.opened(workers=2) as queue:
        group = queue.group([(kind.work.boom, 'a'), (kind.work.double, 1)])
        with pytest.raises(osiiso.ExecutionError) as raised:
            kind.do(group.values())
    assert [result.message for result in raised.value.results] == ['a']


def test_group_cancel(kind, tmp_path):
    with kind.opened(workers=1) as queue:
        queue.submit(kind.work.arrive, str(tmp_path / 'here'), str(tmp_path / 'gate'))
        kind.until_written(tmp_path / 'here')
        group = queue.group(kind.work.double, [1, 2, 3])
        assert group.cancel() == 3
        assert group.cancel() == 0
        with pytest.raises(osiiso.ExecutionError, match=r'^3 task\(s\) cancelled$'):
            kind.do(group.values())
        (tmp_path / 'gate').touch()


def test_as_completed_of_a_group(kind, tmp_path):
    with kind.opened(workers=2) as queue:
        group = queue.group([(kind.work.pass_gate, str(tmp_path / 'mark'), 'late'),
                             (kind.work.mark, str(tmp_path / 'mark'), 'early')])
        assert {handle.value() for handle in kind.all(group.as_completed())} == {'late', 'early'}


def test_context_exit_closes(kind):
    with kind.opened(workers=2) as queue:
        handle = queue.submit(kind.work.double, 3)
        assert not queue.closed
    assert queue.closed
    assert handle.value() == 6


def test_exception_in_the_block_cancels(kind):
    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        with kind.opened(workers=1) as queue:
            handle = queue.submit(kind.work.nap, 300)
            1 / 0
    assert queue.closed and handle.cancelled()
    assert time.monotonic() - start < 60


def test_retry_succeeds_in_the_end(kind, tmp_path):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.flaky, str(tmp_path / 'calls'), 2, retries=2)
        summary = kind.do(queue.run())
    assert summary.ok and handle.value() == 3 and handle.attempts == 3


def test_retries_are_used_up(kind, tmp_path):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.flaky, str(tmp_path / 'calls'), 99, retries=2)
        summary = kind.do(queue.run())
    assert summary.failed == 1 and handle.attempts == 3
    assert handle.result().message == 'call 3' and str(handle.exception()) == 'call 3'


def test_retry_waits(kind, tmp_path):
    with kind.prepared(workers=1) as queue:
        queue.submit(kind.work.flaky, str(tmp_path / 'calls'), 2, retries=2, retry_delay=.03, backoff=2)
        start = time.monotonic()
        summary = kind.do(queue.run())
    assert summary.ok
    assert time.monotonic() - start >= .09


def test_fail_first(kind):
    with kind.prepared(workers=1, fail_policy='fail_first') as queue:
        queue.submit(kind.work.boom)
        others = queue.map(kind.work.nap, [300, 300])
        kept = queue.submit(kind.work.double, 1, must_complete=True)
        summary = kind.do(queue.run())
    assert summary.failed == 1 and summary.cancelled == 2
    assert [handle.status for handle in others] == ['cancelled'] * 2
    # What it has ended comes behind it.
    assert [result.status for result in summary.results] == ['failed', 'cancelled', 'cancelled', 'succeeded']
    assert queue.results == summary.results
    assert kept.value() == 2


def test_fail_policy_of_one_run(kind):
    with kind.prepared(workers=1) as queue:
        queue.submit(kind.work.boom)
        queue.submit(kind.work.nap, 300)
        assert kind.do(queue.run(fail_policy='fail_first')).cancelled == 1
        queue.submit(kind.work.boom)
        queue.submit(kind.work.double, 1)
        summary = kind.do(queue.run())
        assert summary.failed == summary.succeeded == 1
        with pytest.raises(ValueError, match='fail_policy'):
            kind.do(queue.run(fail_policy='never'))


def test_continue_policy(kind):
    with kind.prepared(workers=1) as queue:
        queue.submit(kind.work.boom)
        queue.submit(kind.work.double, 1)
        summary = kind.do(queue.run())
    assert (summary.failed, summary.succeeded) == (1, 1)
    assert not summary.ok and summary.values == (2,) and summary.errors[0].name == 'boom'


def test_timeout_of_a_task(kind):
    with kind.prepared(workers=2) as queue:
        handle = queue.submit(kind.work.nap, 300, timeout=.03)
        summary = kind.do(queue.run())
    assert summary.failed == 1 and not summary.timed_out
    assert isinstance(handle.exception(), TimeoutError)
    assert handle.result().message == "task 'nap' exceeded 0.03s timeout"


def test_timeout_and_retry(kind):
    retries = []
    with kind.prepared(workers=4, on_retry=lambda handle, error: retries.append(type(error))) as queue:
        handle = queue.submit(kind.work.nap, 300, timeout=.03, retries=1)
        kind.do(queue.run())
    assert handle.attempts == 2 and isinstance(handle.exception(), TimeoutError)
    assert retries == [TimeoutError]


def test_timeout_of_a_run(kind):
    with kind.prepared(workers=2, timeout=.05) as queue:
        handle = queue.submit(kind.work.nap, 300)
        summary = kind.do(queue.run())
        assert summary.timed_out and summary.cancelled == 1 and not summary.ok
        assert handle.cancelled()
        # That was the run's, not the queue's end.
        queue.submit(kind.work.double, 1)
        assert kind.do(queue.run(timeout=60)).ok


@pytest.mark.parametrize('timeout', [0, -1])
def test_no_time_for_a_run(kind, timeout):
    with kind.prepared(workers=1) as queue:
        queue.submit(kind.work.nap, 300)
        summary = kind.do(queue.run(timeout=timeout))
    assert summary.timed_out and summary.cancelled == 1


def test_must_complete_outlives_a_timeout(kind, tmp_path):
    with kind.prepared(workers=2) as queue:
        kept = queue.submit(kind.work.nap, .15, 'kept', must_complete=True)
        other = queue.submit(kind.work.nap, 300)
        summary = kind.do(queue.run(timeout=.05))
    assert summary.timed_out and kept.value() == 'kept' and other.cancelled()


@pytest.mark.parametrize('name', ['on_timeout', 'on_exit'])
def test_cancel_policy_spares_nobody(kind, name):
    with kind.prepared(workers=2, **{name: 'cancel'}) as queue:
        kind.do(queue.start())
        assert kind.do(queue.submit(kind.work.double, 1).wait()).value == 2
        kept = queue.submit(kind.work.nap, 300, must_complete=True)
        assert kind.do(queue.run(timeout=.05)).timed_out and kept.cancelled()


def test_old_timeout_policy(kind):
    with kind.prepared(workers=2, on_exit='complete_priority') as queue:
        kept = queue.submit(kind.work.nap, .1, 'kept', must_complete=True)
        # Without that, the other one may be over before anybody looks at the clock.
        queue.submit(kind.work.nap, 300)
        assert kind.do(queue.run(timeout=.03)).timed_out
    assert kept.value() == 'kept'


def test_wait_for_a_handle(kind):
    with kind.opened(workers=1) as queue:
        handle = queue.submit(kind.work.double, 21)
        result = kind.do(handle.wait())
        assert result.value == handle.value() == 42 and handle.done()
        assert kind.do(handle.wait()) is result
        assert handle.result() is result


def test_before_the_end(kind):
    queue = kind.new()
    handle = queue.submit(kind.work.double, 1)
    error = asyncio.InvalidStateError if kind.is_async else RuntimeError
    assert not handle.done() and not handle.cancelled() and handle.status == 'pending' and handle.attempts == 0
    for call in (handle.result, handle.value, handle.exception):
        with pytest.raises(error, match='result not ready'):
            call()
    kind.do(queue.run())
    assert handle.done() and handle.status == 'succeeded' and handle.attempts == 1


def test_cancel_a_waiting_task(kind):
    queue = kind.new()
    handle = queue.submit(kind.work.double, 1)
    assert handle.cancel() is True
    assert handle.cancel() is False
    result = handle.result()
    assert (result.status, result.message) == ('cancelled', 'cancelled before execution')
    assert (result.attempts, result.started_at, result.duration) == (0, None, 0.0)
    assert handle.exception() is None
    with pytest.raises(asyncio.CancelledError if kind.is_async else concurrent.futures.CancelledError):
        handle.value()
    assert kind.do(queue.run()).total_submitted == 0


def test_cancel_a_running_task(kind, tmp_path):
    with kind.opened(workers=1) as queue:
        handle = queue.submit(kind.work.arrive, str(tmp_path / 'here'), str(tmp_path / 'gate'), retries=3)
        kind.until_written(tmp_path / 'here')
        assert handle.status == 'running'
        assert handle.cancel()
        (tmp_path / 'gate').touch()
        result = kind.do(handle.wait())
        assert (result.status, result.message, result.attempts) == ('cancelled', 'cancelled', 1)
        assert handle.cancel() is False
        assert kind.do(queue.submit(kind.work.double, 1).wait()).value == 2


def test_cancel_between_attempts(kind, tmp_path):
    with kind.opened(workers=1) as queue:
        handle = queue.submit(kind.work.flaky, str(tmp_path / 'calls'), 9, retries=3, retry_delay=60)
        kind.until(lambda: handle.status == 'retrying')
        assert handle.cancel() and handle.cancelled()
        assert handle.result().message == 'cancelled' and handle.attempts == 1


def test_bound_task(kind):
    with kind.prepared(workers=2) as queue:
        bound = queue.task(priority=1, name='bound')(kind.work.add)
        assert bound.__name__ == 'add' and repr(bound) == "BoundTask('add')"
        handle = bound(1, 2, name='mine')
        assert isinstance(handle, kind.handle_class) and (handle.priority, handle.name) == (1, 'mine')
        handles = bound.map([(1, 2), {'a': 1}])
        group = bound.group([1, 2])
        with pytest.raises(TypeError):
            bound(1, opts=osiiso.TaskOptions())
        kind.do(queue.run())
        assert handle.value() == 3
        assert [handle.value() for handle in handles] == [3, 11]
        assert kind.do(group.values()) == (11, 12)


def test_on_complete(kind):
    ends = []
    with kind.prepared(workers=2, on_complete=ends.append) as queue:
        queue.map(kind.work.double, [1, 2])
        queue.submit(kind.work.boom)
        queue.submit(kind.work.double, 3, detached=True)
        queue.submit(kind.work.double, 4, delay=100).cancel()
        kind.do(queue.run())
    assert sorted(result.status for result in ends) == ['cancelled', 'failed'] + ['succeeded'] * 3
    assert all(isinstance(result, osiiso.TaskResult) for result in ends)


def test_on_start(kind):
    started = []
    with kind.prepared(workers=1, on_start=lambda handle: started.append((handle.name, handle.attempts,
                                                                        handle.status))) as queue:
        queue.submit(kind.work.double, 1)
        queue.submit(kind.work.boom, retries=1)
        kind.do(queue.run())
    assert started == [('double', 1, 'running'), ('boom', 1, 'running'), ('boom', 2, 'running')]


def test_on_retry(kind, tmp_path):
    retries = []
    with kind.prepared(workers=1, on_retry=lambda handle, error: retries.append(
            (handle.name, handle.status, type(error), str(error)))) as queue:
        queue.submit(kind.work.flaky, str(tmp_path / 'calls'), 2, retries=5)
        queue.submit(kind.work.boom)
        kind.do(queue.run())
    assert retries == [('flaky', 'retrying', ValueError, 'call 1'), ('flaky', 'retrying', ValueError, 'call 2')]


@pytest.mark.parametrize('error', [RuntimeError('a hook'), SystemExit(3), KeyboardInterrupt()])
def test_hooks_that_raise(kind, caplog, error):
    def hook(*_):
        raise error

    with kind.prepared(workers=1, on_start=hook, on_complete=hook, on_retry=hook) as queue:
        handle = queue.submit(kind.work.double, 1)
        handle.add_done_callback(hook)
        queue.submit(kind.work.boom, retries=1)
        summary = kind.do(queue.run())
    assert (summary.succeeded, summary.failed) == (1, 1)
    assert {record.name for record in caplog.records} == {'osiiso', 'osiiso.handle'}


def test_done_callbacks(kind):
    told = []
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 4)
        for i in range(3):
            handle.add_done_callback(lambda handle, i=i: told.append((i, handle.value())))
        kind.do(queue.run())
        handle.add_done_callback(lambda handle: told.append('at once'))
    assert told == [(0, 8), (1, 8), (2, 8), 'at once']


def test_metadata(kind):
    data = {'any': object()}
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 4, metadata=data)
        assert handle.metadata is data
        assert kind.do(queue.run()).results[0].metadata is data
        assert queue.submit(kind.work.double, 1).metadata is None


def test_results_accumulate_and_are_cleared(kind):
    with kind.prepared(workers=1) as queue:
        queue.submit(kind.work.double, 1)
        kind.do(queue.run())
        queue.submit(kind.work.double, 2)
        summary = kind.do(queue.run())
        assert summary.values == (4,)
        assert [result.value for result in queue.results] == [2, 4]
        queue.clear_results()
        assert queue.results == ()
        queue.submit(kind.work.double, 3)
        assert kind.do(queue.run()).values == (6,)
        assert [result.value for result in queue.results] == [6]


def test_reset(kind):
    with kind.opened(workers=1) as queue:
        with pytest.raises(RuntimeError, match='cannot reset while workers are running'):
            queue.reset()
        queue.submit(kind.work.double, 1)
        kind.do(queue.run())
        pending = queue.submit(kind.work.double, 1)
        queue.reset()
        assert pending.cancelled()
        assert queue.results == () and not queue.closed
    assert queue.closed
    queue.reset()
    queue.submit(kind.work.double, 5)
    assert kind.do(queue.run()).values == (10,)


def test_closed(kind):
    queue = kind.new()
    kind.do(queue.shutdown())
    assert queue.closed
    kind.do(queue.shutdown())
    for call in (lambda: queue.submit(kind.work.double, 1), lambda: queue.map(kind.work.double, [1] * 9),
                 lambda: queue.group(kind.work.double, [1])):
        with pytest.raises(osiiso.ClosedError, match='queue is not accepting tasks'):
            call()
    with pytest.raises(osiiso.ClosedError, match='queue has been shut down'):
        kind.do(queue.start())
    with pytest.raises(osiiso.ClosedError):
        kind.do(queue.run())


def test_shutdown_drains(kind):
    queue = kind.new(workers=1)
    handles = queue.map(kind.work.double, range(5))
    late = queue.submit(kind.work.double, 9, delay=.05)
    kind.do(queue.shutdown())
    assert [handle.value() for handle in [*handles, late]] == [0, 2, 4, 6, 8, 18]


def test_forced_shutdown(kind, tmp_path):
    queue = kind.new(workers=1)
    running = queue.submit(kind.work.arrive, str(tmp_path / 'here'), str(tmp_path / 'gate'))
    waiting = queue.submit(kind.work.double, 1, must_complete=True)
    delayed = queue.submit(kind.work.double, 1, delay=100)
    kind.do(queue.start())
    kind.until_written(tmp_path / 'here')
    kind.do(queue.shutdown(force=True))
    (tmp_path / 'gate').touch()
    assert [handle.status for handle in (running, waiting, delayed)] == ['cancelled'] * 3


def test_delay(kind):
    with kind.opened(workers=2) as queue:
        late = queue.submit(kind.work.double, 1, delay=60)
        assert late.scheduled_for == pytest.approx(late.created_at + 60, abs=10)
        assert queue.stats['scheduled'] == 1 and late.status == 'pending'
        late.cancel()
        result = kind.do(queue.submit(kind.work.double, 1, delay=.05).wait())
    assert result.started_at - result.created_at >= .05


def test_no_delay(kind):
    """It is ready at once, and has the time of that."""
    with kind.prepared(workers=1) as queue:
        handles = [queue.submit(kind.work.double, 1, delay=0), *queue.map(kind.work.double, range(5), delay=0)]
        assert all(handle.scheduled_for == pytest.approx(handle.created_at, abs=10) for handle in handles)
        assert queue.stats['scheduled'] == 0
        assert queue.submit(kind.work.double, 1).scheduled_for is None
        assert kind.do(queue.run()).ok


def test_run_at(kind):
    with kind.prepared(workers=2) as queue:
        when = time.time() + .06
        late = queue.submit(kind.work.nap, 0, run_at=when)
        past = queue.submit(kind.work.nap, 0, run_at=time.time() - 100)
        kind.do(queue.run())
        assert time.time() >= when
    assert late.value() is None and past.value() is None


def test_delayed_tasks_hold_no_worker(kind):
    with kind.prepared(workers=1) as queue:
        delayed = queue.submit(kind.work.double, 1, delay=60)
        kind.do(queue.start())
        assert kind.do(queue.submit(kind.work.double, 2).wait()).value == 4
        assert delayed.status == 'pending'


def test_priorities(kind, tmp_path):
    queue = kind.new(workers=1)
    for priority in (9, 1, 5, 1):
        queue.submit(kind.work.mark, str(tmp_path / 'order'), priority, priority=priority)
    kind.do(queue.run())
    assert (tmp_path / 'order').read_text().split() == ['1', '1', '5', '9']


def test_priority_out_of_range(kind):
    queue = kind.new()
    for priority in (-129, 128, 1.5):
        with pytest.raises(ValueError, match='priority must be a whole number from -128 to 127'):
            queue.submit(kind.work.double, 1, priority=priority)


def test_detached(kind):
    with kind.prepared(workers=1) as queue:
        detached = queue.submit(kind.work.double, 1, detached=True)
        queue.submit(kind.work.double, 2)
        summary = kind.do(queue.run())
        assert summary.values == (4,) and detached.value() == 2
        assert len(queue.results) == 2


def test_stats(kind):
    queue = kind.new(workers=2)
    assert queue.stats == {'pending': 0, 'active': 0, 'scheduled': 0, 'completed': 0, 'workers': 0, 'closed': False}
    queue.submit(kind.work.double, 1)
    queue.submit(kind.work.double, 1, delay=100).cancel()
    assert queue.stats['pending'] == queue.pending_count == 1 and queue.active_count == 0
    kind.do(queue.start())
    assert queue.stats['workers'] == 2
    kind.do(queue.run())
    assert queue.stats == {'pending': 0, 'active': 0, 'scheduled': 0, 'completed': 2, 'workers': 0, 'closed': False}
    kind.do(queue.shutdown())
    assert queue.stats['closed'] is True


def test_join(kind):
    queue = kind.new(workers=2)
    handles = queue.map(kind.work.double, range(10))
    kind.do(queue.join())
    assert all(handle.done() for handle in handles)
    kind.do(queue.shutdown())


def test_strict(kind):
    with kind.prepared(workers=1) as queue:
        queue.submit(kind.work.boom)
        with pytest.raises(osiiso.ExecutionError, match=r'1 task\(s\) failed') as raised:
            kind.do(queue.run(strict=True))
        assert raised.value.results[0].message == 'boom'
        queue.submit(kind.work.nap, 300)
        # A cancellation alone is no error.
        assert kind.do(queue.run(timeout=.01, strict=True)).cancelled == 1


def test_failed_value(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.boom, 'told')
        kind.do(queue.run())
    assert isinstance(handle.exception(), ValueError)
    with pytest.raises(ValueError, match='told') as raised:
        handle.value()
    assert raised.value is handle.exception()


def test_traceback_is_kept(kind):
    import traceback
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.boom)
        kind.do(queue.run())
    text = ''.join(traceback.format_exception(handle.exception()))
    assert 'raise ValueError(text)' in text


def test_rate(kind):
    with kind.prepared(workers=4, rate=50) as queue:
        queue.map(kind.work.nap, [0] * 4)
        start = time.monotonic()
        assert kind.do(queue.run()).ok
    assert time.monotonic() - start >= .06


def test_burst(kind):
    with kind.prepared(workers=4, rate=.001, burst=4) as queue:
        queue.map(kind.work.nap, [0] * 4)
        assert kind.do(queue.run(timeout=60)).ok


def test_infinite(kind):
    queue = kind.new(workers=2, mode='infinite')
    kind.do(queue.start())
    assert kind.do(queue.submit(kind.work.double, 2).wait()).value == 4
    kind.do(queue.shutdown())
    assert queue.closed


def test_tasks_have_ids(kind):
    queue = kind.new()
    handles = queue.map(kind.work.double, range(50))
    ids = {handle.task_id for handle in handles}
    assert len(ids) == 50
    assert all(len(id) == 32 and int(id, 16) >= 0 for id in ids)
    assert repr(handles[0]) == (f"{kind.handle_class.__name__}('double', status='pending', "
                                f"id={handles[0].task_id[:8]})")
    kind.do(queue.shutdown(force=True))


def test_result_fields(kind):
    with kind.prepared(workers=1) as queue:
        handle = queue.submit(kind.work.double, 2, name='n', priority=1, group_id='g', must_complete=True)
        result = kind.do(queue.run()).results[0]
    assert (result.task_id, result.name, result.status, result.value) == (handle.task_id, 'n', 'succeeded', 4)
    assert (result.exception, result.attempts, result.priority, result.must_complete) == (None, 1, 1, True)
    assert (result.group_id, result.detached, result.scheduled_for, result.message) == ('g', False, None, '')
    assert result.created_at <= result.started_at <= result.finished_at
    assert result.duration == result.finished_at - result.started_at


def test_run_in_the_block(kind, tmp_path):
    with kind.opened(workers=1) as queue:
        queue.submit(kind.work.pass_gate, str(tmp_path / 'gate'), 1)
        queue.submit(kind.work.double, 2)
        (tmp_path / 'gate').touch()
        kind.do(queue.run())
        assert {result.status for result in queue.results} == {'succeeded'}
    assert queue.closed


def test_run_again(kind):
    with kind.prepared(workers=2) as queue:
        for i in range(3):
            queue.submit(kind.work.double, i)
            assert kind.do(queue.run()).values == (2 * i,)


def test_empty_run(kind):
    with kind.prepared() as queue:
        summary = kind.do(queue.run())
    assert summary.ok and summary.total_submitted == 0 and summary.results == ()
