# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoint, and the queues' way to leave out what is done."""
import asyncio
import logging
import pickle
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import osiiso
from osiiso.checkpoint import Hit, canonical_key

json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)
                           | st.dictionaries(st.text(), inner), max_leaves=6)


@pytest.fixture
def store():
    with osiiso.Checkpoint() as store:
        yield store


def test_key():
    assert canonical_key({'b': 1, 'a': [2]}) == canonical_key({'a': [2], 'b': 1}) == '{"a":[2],"b":1}'
    assert canonical_key(1) != canonical_key('1')
    assert canonical_key((1, 2)) == canonical_key([1, 2])
    with pytest.raises(TypeError, match='key='):
        canonical_key(object())


@given(json_values, json_values)
def test_any_key(one, other):
    assert (canonical_key(one) == canonical_key(other)) == (canonical_key([one]) == canonical_key([other]))
    assert canonical_key(one) == canonical_key(pickle.loads(pickle.dumps(one)))


@given(st.dictionaries(st.text(min_size=1), json_values))
def test_any_values(values):
    with osiiso.Checkpoint() as store:
        for key, value in values.items():
            assert store.record('ns', key, value)
        assert store.lookup('ns', values) == {key: Hit(value, True) for key, value in values.items()}
        assert store.count('ns') == len(values) == store.clear('ns')


def test_record(store):
    assert not store.is_done('ns', 'k')
    assert store.record('ns', 'k', [1], name='n') is True
    assert store.is_done('ns', 'k') and not store.is_done('other', 'k')
    assert store.lookup('ns', ['k', 'unknown']) == {'k': Hit([1], True)}
    store.record('ns', 'k', 'new')
    assert store.count() == 1 and store.lookup('ns', ['k'])['k'].value == 'new'


def test_many_keys(store):
    for i in range(1200):
        store.record('ns', str(i), i)
    hits = store.lookup('ns', map(str, range(1300)))
    assert {int(key): hit.value for key, hit in hits.items()} == {i: i for i in range(1200)}


def test_namespaces(store):
    for namespace, key in [('b', '1'), ('a', '1'), ('b', '2')]:
        store.record(namespace, key)
    assert store.namespaces() == ('a', 'b')
    assert (store.count(), store.count('b'), store.count('c')) == (3, 2, 0)
    assert store.clear('b') == 2 and store.namespaces() == ('a',)
    assert store.clear() == 1 and store.count() == 0


def test_value_that_cannot_be_encoded(store, caplog):
    assert store.record('ns', 'k', object()) is False
    assert store.count() == 0 and 'cannot be encoded' in caplog.text


def test_keys_only():
    with osiiso.Checkpoint(store_values=False) as store:
        assert store.record('ns', 'k', object())
        assert store.lookup('ns', ['k']) == {'k': Hit(None, False)}


def test_own_encoding():
    with osiiso.Checkpoint(encoder=pickle.dumps, decoder=pickle.loads) as store:
        store.record('ns', 'k', {1, 2})
        assert store.lookup('ns', ['k'])['k'].value == {1, 2}
    with osiiso.Checkpoint(encoder=str, decoder=bytes.decode) as store:
        store.record('ns', 'k', 5)
        assert store.lookup('ns', ['k'])['k'].value == '5'


def test_value_that_cannot_be_decoded(tmp_path, caplog):
    path = tmp_path / 'store'
    with osiiso.Checkpoint(path, encoder=lambda value: b'\xff') as store:
        store.record('ns', 'k', 1)
    with osiiso.Checkpoint(path) as store:
        assert store.lookup('ns', ['k']) == {} and store.is_done('ns', 'k')
    assert 'cannot be decoded' in caplog.text


def test_file(tmp_path):
    path = tmp_path / 'store'
    with osiiso.Checkpoint(path) as store:
        store.record('ns', 'k', 1)
    with osiiso.Checkpoint(str(path)) as store:
        assert store.lookup('ns', ['k'])['k'].value == 1


def test_file_of_a_later_version(tmp_path):
    import sqlite3
    with sqlite3.connect(tmp_path / 'store') as db:
        db.execute('PRAGMA user_version=99')
    with pytest.raises(ValueError, match='version 99'):
        osiiso.Checkpoint(tmp_path / 'store')


def test_closed(store):
    store.close()
    store.close()
    for call in (lambda: store.is_done('n', 'k'), lambda: store.lookup('n', ['k']), lambda: store.lookup('n', []),
                 lambda: store.record('n', 'k'),
                 lambda: store.record('n', 'k', object()), store.count, store.namespaces, store.clear):
        with pytest.raises(RuntimeError, match='checkpoint is closed'):
            call()
    assert repr(store) == "Checkpoint(':memory:', closed)"


def test_repr(store):
    store.record('ns', 'k')
    assert repr(store) == "Checkpoint(':memory:', entries=1)"


def test_sqlite_is_loaded_late():
    code = "import sys, osiiso; assert 'sqlite3' not in sys.modules; osiiso.Checkpoint(); assert 'sqlite3' in sys.modules"
    subprocess.run([sys.executable, '-c', code], check=True, timeout=60)


# With queues.

calls = []


def work(x):
    calls.append(x)
    if x == 13:
        raise ValueError('thirteen')
    return 10 * x


def other(x):
    calls.append(('other', x))
    return x


@pytest.fixture(autouse=True)
def forget_calls():
    calls.clear()


def run(entries, store, fn=work, **options):
    with osiiso.ThreadQueue(workers=1) as queue:
        handles = queue.map(fn, entries, checkpoint=store, **options)
        queue.join()
        return handles


@pytest.mark.parametrize('given, message', [
    ('x.db', "^checkpoint must be a Checkpoint, not 'x.db'; Checkpoint\\('x.db'\\) makes one$"),
    (3, '^checkpoint must be a Checkpoint, not 3$'),
])
def test_what_is_no_checkpoint(given, message):
    queue = osiiso.ThreadQueue(workers=1)
    for submit in (lambda: queue.map(work, [1], checkpoint=given),
                   lambda: queue.group(work, [1], checkpoint=given),
                   lambda: queue.group([(work, 1)], checkpoint=given, namespace='here')):
        with pytest.raises(TypeError, match=message):
            submit()
    assert queue.run().total_submitted == 0


def test_what_is_done_is_left_out(store):
    run([1, 2, 13], store)
    assert calls == [1, 2, 13] and store.count('work') == 2
    handles = run([3, 2, 1, 13], store)
    assert calls[3:] == [3, 13]
    assert [handle.status for handle in handles] == ['succeeded'] * 3 + ['failed']
    assert [handle.value() for handle in handles[:3]] == [30, 20, 10]


def test_restored_result(store):
    run([1], store)
    queue = osiiso.ThreadQueue(workers=1)
    handle, = queue.map(work, [1], checkpoint=store, priority=7)
    result = handle.result()
    assert (result.status, result.value, result.attempts, result.priority) == ('succeeded', 10, 0, 7)
    assert result.message == 'restored from checkpoint' and result.started_at is None
    assert handle.wait() is result and handle.cancel() is False
    assert queue.run().total_submitted == 0 and queue.results == ()


def test_restored_without_value():
    with osiiso.Checkpoint(store_values=False) as store:
        run([1], store)
        handle, = run([1], store)
        assert handle.value() is None
        assert handle.result().message == 'restored from checkpoint (value not retained)'


def test_cancelled_is_not_done(store):
    queue = osiiso.ThreadQueue(workers=1)
    handle, = queue.map(work, [1], checkpoint=store)
    handle.cancel()
    assert store.count() == 0


def test_own_keys(store):
    rows = [{'x': 1}, {'x': 2}]
    run(rows, store, key=lambda row: row['x'])
    assert store.lookup('work', ['1', '2']).keys() == {'1', '2'}
    run([{'x': 1}], store, key=lambda row: row['x'])
    assert len(calls) == 2


def test_key_is_needed(store):
    with pytest.raises(TypeError, match='key='):
        run([object()], store)
    assert calls == []


def test_callables_have_their_own_namespaces(store):
    run([1], store)
    run([1], store, fn=other)
    run([1], store, namespace='mine')
    assert store.namespaces() == ('mine', 'other', 'work') and len(calls) == 3


def group(entries, store, **options):
    with osiiso.ThreadQueue(workers=1) as queue:
        group = queue.group(entries, checkpoint=store, **options)
        return group.values()


def test_group_of_different_callables(store):
    entries = [(work, 1), (other, 1)]
    with pytest.raises(ValueError, match='namespace'):
        group(entries, store)
    assert group(entries, store, namespace='both') == (10, 1)
    assert group(entries, store, namespace='both') == (10, 1) and len(calls) == 2
    assert group([(other, 1), (other, 2)], store, namespace='both') == (1, 2) and len(calls) == 3
    assert group(entries, store, group_id='by-id') == (10, 1) and store.count('by-id') == 2
    with pytest.raises(TypeError, match='tuple'):
        group(['wrong'], store, namespace='both')


def test_group_with_equal_entries(store):
    assert group([(work, 1), (work, 1)], store, namespace='twice') == (10, 10)
    assert store.count('twice') == 1


def test_group_with_own_keys(store):
    key = lambda entry: entry[1]  # noqa: E731
    assert group([(work, 1)], store, namespace='args', key=key) == (10,)
    assert group([(other, 1)], store, namespace='args', key=key) == (10,)


def test_bound_task(store):
    for _ in range(2):
        with osiiso.ThreadQueue(workers=1) as queue:
            bound = queue.task()(work)
            handles = bound.map([1, 2], checkpoint=store)
            values = bound.group([3], checkpoint=store, namespace='g').values()
            queue.join()
        assert [handle.value() for handle in handles] == [10, 20] and values == (30,)
    assert sorted(calls) == [1, 2, 3]


async def awork(x):
    return work(x)


def test_event_loop(store):
    async def main():
        with pytest.raises(osiiso.ExecutionError):
            await osiiso.amap(awork, [1, 2, 13], workers=1, checkpoint=store)
        assert store.count('awork') == 2
        calls.clear()
        return await osiiso.amap(awork, [1, 2, 3], checkpoint=store)

    assert asyncio.run(main()) == (10, 20, 30) and calls == [3]


def test_tmap(store):
    assert osiiso.tmap(work, [1, 2], checkpoint=store) == osiiso.tmap(work, [1, 2], checkpoint=store) == (10, 20)
    assert len(calls) == 2


def test_closed_store_is_told_of(store, caplog):
    gate = threading.Event()

    def wait_and_work(x):
        gate.wait()
        return work(x)

    with osiiso.ThreadQueue(workers=1) as queue:
        handle, = queue.map(wait_and_work, [1], checkpoint=store)
        store.close()
        gate.set()
        assert handle.wait().value == 10
    assert 'could not be recorded' in caplog.text and caplog.records[0].levelno == logging.ERROR
