# SPDX-License-Identifier: LGPL-2.1-or-later
"""TaskOptions: values, limits, and how keywords go on top."""
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import osiiso
from osiiso.options import OPTION_FIELDS, merge_options

WRONG = [
    ({'timeout': -1}, 'timeout must be > 0'),
    ({'timeout': 0}, 'timeout must be > 0'),
    ({'timeout': float('nan')}, 'timeout must be > 0'),
    ({'retries': -1}, 'retries must be >= 0'),
    ({'retry_delay': -1}, 'retry_delay must be >= 0'),
    ({'backoff': 0}, 'backoff must be > 0'),
    ({'delay': -1}, 'delay must be >= 0'),
    ({'delay': 1, 'run_at': 1}, 'delay and run_at are mutually exclusive'),
]


def test_defaults():
    options = osiiso.TaskOptions()
    assert dataclasses.asdict(options) == {
        'priority': 3, 'must_complete': False, 'timeout': None, 'retries': 0, 'retry_delay': 0.0, 'backoff': 1.0,
        'delay': None, 'run_at': None, 'name': None, 'group_id': None, 'detached': False, 'metadata': None}


def test_order_of_fields():
    assert [field.name for field in dataclasses.fields(osiiso.TaskOptions)] == [
        'priority', 'must_complete', 'timeout', 'retries', 'retry_delay', 'backoff', 'delay', 'run_at', 'name',
        'group_id', 'detached', 'metadata']
    assert OPTION_FIELDS == {field.name for field in dataclasses.fields(osiiso.TaskOptions)}


def test_own_values():
    options = osiiso.TaskOptions(priority=1, must_complete=True, timeout=.5, retries=2, retry_delay=.1, backoff=2,
                                 delay=1, name='n', group_id='g', detached=True, metadata={'a': 1})
    assert (options.priority, options.must_complete, options.timeout, options.retries) == (1, True, .5, 2)
    assert (options.retry_delay, options.backoff, options.delay, options.name) == (.1, 2, 1, 'n')
    assert (options.group_id, options.detached, options.metadata) == ('g', True, {'a': 1})


def test_frozen():
    options = osiiso.TaskOptions()
    with pytest.raises(AttributeError):
        options.priority = 1
    with pytest.raises((AttributeError, TypeError)):
        options.other = 1
    assert not hasattr(options, '__dict__')


@pytest.mark.parametrize('values, message', WRONG)
def test_wrong(values, message):
    with pytest.raises(ValueError, match=message):
        osiiso.TaskOptions(**values)
    with pytest.raises(ValueError, match=message):
        osiiso.TaskOptions().replace(**values)
    with pytest.raises(ValueError, match=message):
        merge_options(osiiso.TaskOptions(), values)


@pytest.mark.parametrize('name', ['timeout', 'retries', 'retry_delay', 'backoff', 'delay'])
def test_no_numbers(name):
    with pytest.raises(TypeError, match=f"^{name} must be a number, not 'many'$"):
        osiiso.TaskOptions(**{name: 'many'})
    with pytest.raises(TypeError, match=f"^{name} must be a number, not "):
        osiiso.TaskOptions().replace(**{name: []})


def test_edges():
    options = osiiso.TaskOptions(timeout=.001, delay=0, retries=0)
    assert (options.timeout, options.delay, options.retries) == (.001, 0, 0)


def test_replace():
    options = osiiso.TaskOptions(priority=1, name='a')
    other = options.replace(priority=2)
    assert (other.priority, other.name) == (2, 'a')
    assert (options.priority, options.name) == (1, 'a')


def test_merge():
    base = osiiso.TaskOptions(priority=1, retries=2)
    assert merge_options(base, {}) is base
    assert merge_options(None, {}) == osiiso.TaskOptions()
    assert merge_options(None, {'retries': 1}) == osiiso.TaskOptions(retries=1)
    assert merge_options(base, {'priority': 5}) == osiiso.TaskOptions(priority=5, retries=2)


def test_unknown():
    with pytest.raises(TypeError, match=r'Unknown task option\(s\): alpha, beta$'):
        merge_options(None, {'beta': 1, 'alpha': 2, 'name': 'n'})


finite = st.floats(allow_nan=False)
FIELDS = {
    'priority': st.integers(-128, 127),
    'must_complete': st.booleans(),
    'timeout': st.none() | finite,
    'retries': st.integers(-5, 1000),
    'retry_delay': finite,
    'backoff': finite,
    'delay': st.none() | finite,
    'run_at': st.none() | finite,
    'name': st.none() | st.text(),
    'group_id': st.none() | st.text(),
    'detached': st.booleans(),
    'metadata': st.none() | st.integers(),
}
some_options = st.fixed_dictionaries({}, optional=FIELDS)


def is_valid(values):
    return not (values.get('timeout') is not None and values['timeout'] <= 0
                or values.get('retries', 0) < 0 or values.get('retry_delay', 0) < 0 or values.get('backoff', 1) <= 0
                or values.get('delay') is not None and (values['delay'] < 0 or values.get('run_at') is not None))


@given(some_options)
def test_any_values(values):
    """Either they are kept as they are, or refused with a ValueError."""
    if is_valid(values):
        options = osiiso.TaskOptions(**values)
        assert {name: getattr(options, name) for name in values} == values
        assert hash(options) == hash(osiiso.TaskOptions(**values))
    else:
        with pytest.raises(ValueError):
            osiiso.TaskOptions(**values)


@given(some_options.filter(is_valid), some_options)
def test_any_merge(base, overrides):
    """The same as naming all of it at once."""
    both = {**base, **overrides}
    if is_valid(both):
        assert merge_options(osiiso.TaskOptions(**base), overrides) == osiiso.TaskOptions(**both)
    else:
        with pytest.raises(ValueError):
            merge_options(osiiso.TaskOptions(**base), overrides)
