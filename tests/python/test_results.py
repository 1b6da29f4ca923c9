# SPDX-License-Identifier: LGPL-2.1-or-later
"""TaskResult, RunSummary and the exceptions."""
import copy
import dataclasses
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import osiiso


def result(name='t', status='succeeded', **fields):
    return osiiso.TaskResult(fields.pop('task_id', name), name, status, **fields)


def summary(*results, timed_out=False):
    return osiiso.RunSummary.from_results(results, run_start=time.perf_counter(), timed_out=timed_out)


MIXED = (result('a', value=1, group_id='g'), result('b', 'failed', message='wrong', attempts=3),
         result('c', 'cancelled'), result('a', value=2, task_id='a2'))


def test_defaults():
    assert dataclasses.asdict(result()) == {
        'task_id': 't', 'name': 't', 'status': 'succeeded', 'value': None, 'exception': None, 'attempts': 0,
        'priority': 0, 'must_complete': False, 'group_id': None, 'detached': False, 'scheduled_for': None,
        'created_at': 0.0, 'started_at': None, 'finished_at': 0.0, 'duration': 0.0, 'message': '', 'metadata': None}
    with pytest.raises(TypeError):
        osiiso.TaskResult('id', 'name')


def test_frozen():
    with pytest.raises(AttributeError):
        result().value = 1
    with pytest.raises(AttributeError):
        summary().failed = 1


def test_result_of_a_queue_is_like_any_other():
    with osiiso.ThreadQueue(workers=1) as queue:
        handle = queue.submit(abs, -3, name='three', metadata=5)
        one = handle.wait()
    assert isinstance(one, osiiso.TaskResult) and type(one) is not None
    same = osiiso.TaskResult(**{field.name: getattr(one, field.name) for field in dataclasses.fields(one)})
    assert one == same and same == one and hash(one) == hash(same)
    assert pickle.loads(pickle.dumps(one)) == one and copy.copy(one) == one
    assert dataclasses.replace(one, value=4).value == 4
    assert dataclasses.asdict(one)['name'] == 'three'
    assert repr(one) == repr(same)
    with pytest.raises(AttributeError):
        one.value = 1


def test_counts():
    both = summary(*MIXED)
    assert (both.total_submitted, both.succeeded, both.failed, both.cancelled) == (4, 2, 1, 1)
    assert both.results == MIXED and both.values == (1, 2)
    assert both.errors == (MIXED[1],) and both.successes() == (MIXED[0], MIXED[3]) and both.cancellations() == (MIXED[2],)
    assert not both.timed_out and both.duration >= 0


def test_duration():
    run_start = time.perf_counter() - 10
    assert osiiso.RunSummary.from_results([], run_start=run_start, timed_out=False).duration == pytest.approx(10, abs=1)


def test_ok():
    assert summary().ok and summary(result()).ok
    assert not summary(result('a', 'failed')).ok
    assert not summary(result('a', 'cancelled')).ok
    assert not summary(result(), timed_out=True).ok


def test_lookups():
    both = summary(*MIXED)
    assert both.by_task_id() == {'a': MIXED[0], 'b': MIXED[1], 'c': MIXED[2], 'a2': MIXED[3]}
    assert list(both.by_name().items()) == [('a', (MIXED[0], MIXED[3])), ('b', (MIXED[1],)), ('c', (MIXED[2],))]
    assert both.by_group() == {'g': (MIXED[0],), None: MIXED[1:]}


def test_raise_for_errors():
    summary(result(), result('c', 'cancelled'), timed_out=True).raise_for_errors()
    with pytest.raises(osiiso.ExecutionError, match=r'^1 task\(s\) failed$') as raised:
        summary(*MIXED).raise_for_errors()
    assert raised.value.results == (MIXED[1],)
    with pytest.raises(osiiso.ExecutionError, match=r'^1 task\(s\) failed; 1 task\(s\) cancelled$') as raised:
        summary(*MIXED).raise_for_errors(include_cancelled=True)
    assert raised.value.results == (MIXED[1], MIXED[2])


def test_display(capsys):
    assert dataclasses.replace(summary(*MIXED), duration=1.23456).display() is None
    bar = '-' * 40
    assert capsys.readouterr().out.splitlines() == [
        bar, '  Run Summary: COMPLETED WITH ERRORS', bar, '  Total tasks : 4', '  Succeeded   : 2', '  Failed      : 1',
        '  Cancelled   : 1', '  Duration    : 1.235s', bar, '  Failures:', '    - b (3 attempts)', '      wrong', bar]


@pytest.mark.parametrize('results, timed_out, word', [
    ([], False, 'PASSED'), ([result()], True, 'TIMED OUT'), ([result('a', 'failed')], True, 'TIMED OUT'),
    ([result('a', 'cancelled')], False, 'COMPLETED WITH ERRORS')])
def test_verdict(capsys, results, timed_out, word):
    summary(*results, timed_out=timed_out).display()
    assert f'  Run Summary: {word}\n' in capsys.readouterr().out


def test_display_of_a_failure_with_one_attempt(capsys):
    summary(result('a', 'failed', attempts=1)).display()
    assert '    - a\n-' in capsys.readouterr().out


def test_exceptions():
    assert issubclass(osiiso.OsiisoError, Exception)
    for kind in (osiiso.ClosedError, osiiso.QueueFullError, osiiso.ExecutionError):
        assert issubclass(kind, osiiso.OsiisoError)
    assert str(osiiso.OsiisoError()) == ''
    for kind in (osiiso.OsiisoError, osiiso.ClosedError, osiiso.QueueFullError):
        assert str(kind('text')) == 'text'


@pytest.mark.parametrize('statuses, text', [
    ([], '0 task(s) failed'),
    (['failed'], '1 task(s) failed'),
    (['failed'] * 3, '3 task(s) failed'),
    (['failed', 'cancelled', 'cancelled'], '1 task(s) failed; 2 task(s) cancelled'),
    (['cancelled'] * 2, '2 task(s) cancelled'),
])
def test_execution_error(statuses, text):
    results = [result(str(i), status) for i, status in enumerate(statuses)]
    for given_results in (results, tuple(results), iter(results)):
        error = osiiso.ExecutionError(given_results)
        assert str(error) == text and error.results == tuple(results)
    assert pickle.loads(pickle.dumps(error)).results == tuple(results)


some_results = st.lists(st.builds(
    osiiso.TaskResult, st.uuids().map(lambda id: id.hex), st.sampled_from('abc'),
    st.sampled_from(['succeeded', 'failed', 'cancelled']), value=st.integers(),
    group_id=st.none() | st.sampled_from('gh'), attempts=st.integers(0, 5), message=st.text(max_size=5)))


@given(some_results, st.booleans())
def test_any_summary(results, timed_out):
    whole = summary(*results, timed_out=timed_out)
    assert whole.total_submitted == len(results) == whole.succeeded + whole.failed + whole.cancelled
    assert len(whole.successes()) == whole.succeeded and len(whole.errors) == whole.failed
    assert len(whole.cancellations()) == whole.cancelled
    assert whole.values == tuple(one.value for one in whole.successes())
    assert whole.ok == (whole.succeeded == len(results) and not timed_out)
    for groups, key in ((whole.by_name(), lambda one: one.name), (whole.by_group(), lambda one: one.group_id)):
        assert sorted(map(id, (one for group in groups.values() for one in group))) == sorted(map(id, results))
        assert list(groups) == list(dict.fromkeys(map(key, results)))
        assert all(key(one) == name for name, group in groups.items() for one in group)
    assert set(whole.by_task_id()) == {one.task_id for one in results}
    wrong = whole.errors + whole.cancellations()
    try:
        whole.raise_for_errors(include_cancelled=True)
    except osiiso.ExecutionError as error:
        assert wrong and error.results == wrong
    else:
        assert not wrong
