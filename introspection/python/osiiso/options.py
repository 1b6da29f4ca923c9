# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a task is to be run."""
from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class TaskOptions:
    """Options of a task; times are seconds.

    A submit takes an instance as ``opts=``, or its fields as keywords, or both; the
    keywords win.
    """

    priority: int = 3
    must_complete: bool = False
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 0.0
    backoff: float = 1.0
    delay: float | None = None
    run_at: float | None = None
    name: str | None = None
    group_id: str | None = None
    detached: bool = False
    metadata: Any = None

    def __post_init__(self) -> None:
        try:
            self._check()
        except TypeError:
            check_numbers(self)
            raise

    def _check(self) -> None:
        # "not >" refuses what is not a number, too.
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError('timeout must be > 0')
        if not self.retries >= 0:
            raise ValueError('retries must be >= 0')
        if not self.retry_delay >= 0:
            raise ValueError('retry_delay must be >= 0')
        if not self.backoff > 0:
            raise ValueError('backoff must be > 0')
        if self.delay is not None and not self.delay >= 0:
            raise ValueError('delay must be >= 0')
        if self.delay is not None and self.run_at is not None:
            raise ValueError('delay and run_at are mutually exclusive')

    def replace(self, **overrides: Any) -> TaskOptions:
        """A copy with other values, checked like a new one."""
        return dataclasses.replace(self, **overrides)


def check_numbers(options: TaskOptions) -> None:
    """Raises a TypeError that names what should be a number and is none."""
    for name in ('priority', 'timeout', 'retries', 'retry_delay', 'backoff', 'delay', 'run_at'):
        value = getattr(options, name)
        # Where None stands for none it was not compared with anything.
        if not hasattr(value, '__float__') and (value is not None or name not in ('timeout', 'delay', 'run_at')):
            raise TypeError(f'{name} must be a number, not {value!r}')


def check_callable(name: str, value: Any) -> None:
    """Raises a TypeError if something else is given for what is called."""
    if value is not None and not callable(value):
        raise TypeError(f'{name} must be callable, not {value!r}')


def check_initializer(initializer: Any, initargs: Any) -> tuple[Any, ...]:
    """Its arguments, or a TypeError: what is wrong would only be seen when workers start."""
    check_callable('initializer', initializer)
    try:
        return tuple(initargs)
    except TypeError:
        raise TypeError(f'initargs must be a tuple, not {initargs!r}') from None


OPTION_FIELDS = frozenset(field.name for field in dataclasses.fields(TaskOptions))

DEFAULT_OPTIONS = TaskOptions()


def merge_options(opts: TaskOptions | None, overrides: dict[str, Any]) -> TaskOptions:
    """``opts`` with ``overrides`` on top; the same object when there are none."""
    if opts is not None and not isinstance(opts, TaskOptions):
        raise TypeError(f'opts must be a TaskOptions, not {opts!r}')
    if not overrides:
        return DEFAULT_OPTIONS if opts is None else opts
    unknown = overrides.keys() - OPTION_FIELDS
    if unknown:
        raise TypeError(f'Unknown task option(s): {", ".join(sorted(unknown))}')
    if opts is None:
        return TaskOptions(**overrides)
    return opts.replace(**overrides)
