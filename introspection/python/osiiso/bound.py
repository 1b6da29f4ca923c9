# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions that belong to a queue."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .handle import BaseHandle
from .options import TaskOptions

if TYPE_CHECKING:
    from .base import BaseQueue
    from .checkpoint import Checkpoint

H = TypeVar('H', bound=BaseHandle)
G = TypeVar('G')


class BoundTask(Generic[H, G]):
    """A function of which each call is submitted; see the queues' ``task()``."""

    def __init__(self, queue: BaseQueue[H, G], fn: Callable[..., Any], options: TaskOptions) -> None:
        self._queue = queue
        self._fn = fn
        self._options = options
        self.__name__ = getattr(fn, '__name__', type(fn).__name__)
        self.__doc__ = fn.__doc__

    def __call__(self, *args: Any, **overrides: Any) -> H:
        """Submits a call; the keywords are fields of TaskOptions."""
        if 'opts' in overrides:
            raise TypeError('Unknown task option(s): opts')
        return self._queue.submit(self._fn, *args, opts=self._options, **overrides)

    def map(self, iterable: Iterable[Any], *, checkpoint: Checkpoint | None = None,
            key: Callable[[Any], object] | None = None, namespace: str | None = None,
            **overrides: Any) -> list[H]:
        """Submits a call for each element; see the queues' ``map()``."""
        return self._queue.map(self._fn, iterable, opts=self._options, checkpoint=checkpoint, key=key,
                               namespace=namespace, **overrides)

    def group(self, iterable: Iterable[Any], *, checkpoint: Checkpoint | None = None,
              key: Callable[[Any], object] | None = None, namespace: str | None = None, **overrides: Any) -> G:
        """Submits a call for each element, as a group."""
        return self._queue.group(self._fn, iterable, opts=self._options, checkpoint=checkpoint, key=key,
                                 namespace=namespace, **overrides)

    def __repr__(self) -> str:
        return f'BoundTask({self.__name__!r})'
