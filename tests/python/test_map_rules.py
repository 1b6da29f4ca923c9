# SPDX-License-Identifier: LGPL-2.1-or-later
"""What map() makes of its elements."""
import collections
import types

from hypothesis import given, settings
from hypothesis import strategies as st
from work_sync import describe

import osiiso

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.binary(max_size=4)
elements = (scalars | st.lists(scalars, max_size=3) | st.tuples() | st.tuples(scalars) | st.tuples(scalars, scalars)
            | st.dictionaries(st.sampled_from(['a', 'b', 'c']), scalars, max_size=3) | st.sets(st.integers(), max_size=2))

Point = collections.namedtuple('Point', 'x y')


def expected(element):
    if isinstance(element, dict):
        return (), element
    return (element, {}) if isinstance(element, tuple) else ((element,), {})


queue = osiiso.ThreadQueue(workers=2)


@settings(max_examples=60)
@given(st.lists(elements, max_size=8))
def test_any_elements(given_elements):
    handles = queue.map(describe, given_elements)
    group = queue.group(describe, given_elements)
    entries = queue.group([(describe, *args) for args, _ in map(expected, given_elements)])
    assert queue.run().ok
    assert [handle.value() for handle in handles] == [expected(element) for element in given_elements]
    assert [handle.value() for handle in group] == [expected(element) for element in given_elements]
    assert [handle.value()[0] for handle in entries] == [expected(element)[0] for element in given_elements]
    queue.clear_results()


def test_what_looks_like_it():
    class MyTuple(tuple):
        pass

    class MyMapping(collections.UserDict):
        pass

    mapping = types.MappingProxyType({'a': 1})
    handles = queue.map(describe, [Point(1, 2), MyTuple((3,)), MyMapping(b=2), mapping, [4, 5], 'text', iter(())])
    queue.run()
    values = [handle.value() for handle in handles]
    assert values[:6] == [((1, 2), {}), ((3,), {}), ((), {'b': 2}), ((), {'a': 1}), (([4, 5],), {}), (('text',), {})]


def test_later_changes_do_not_matter():
    mapping = {'a': 1}
    handle, = queue.map(describe, [mapping])
    mapping['a'] = 2
    queue.run()
    assert handle.value() == ((), {'a': 1})


def test_any_iterable_is_used_at_once():
    seen = []

    def numbers():
        for i in range(3):
            seen.append(i)
            yield i

    handles = queue.map(describe, numbers())
    assert seen == [0, 1, 2]
    queue.run()
    assert [handle.value() for handle in handles] == [((i,), {}) for i in range(3)]


def test_nothing_is_submitted_when_the_iterable_raises():
    def numbers():
        yield 1
        raise ZeroDivisionError

    before = queue.pending_count
    try:
        queue.map(describe, numbers())
    except ZeroDivisionError:
        pass
    assert queue.pending_count == before
