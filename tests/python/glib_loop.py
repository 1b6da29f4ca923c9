# SPDX-License-Identifier: LGPL-2.1-or-later
"""A loop of asyncio that waits in a main context of GLib, as gi.events of PyGObject 3.50 does."""
import asyncio
import selectors

from gi.repository import GLib, GObject


class _Selector(selectors.EpollSelector):
    """Waits for what is registered, and dispatches what is in the main context meanwhile."""

    def __init__(self):
        super().__init__()
        self.context = GLib.MainContext.default()
        self.watch = GLib.io_add_watch(GLib.IOChannel.unix_new(self.fileno()), GLib.PRIORITY_DEFAULT,
                                       GLib.IOCondition.IN, lambda *_: True)

    def select(self, timeout=None):
        if timeout is not None and timeout <= 0:
            self.context.iteration(False)
            return super().select(0)
        timer = None
        if timeout is not None:
            timer = GLib.timeout_source_new(max(1, round(timeout * 1000)))
            GObject.source_set_dummy_callback(timer)
            timer.attach(self.context)
        try:
            self.context.iteration(True)
        finally:
            if timer is not None:
                timer.destroy()
        return super().select(0)

    def close(self):
        if self.watch is not None:
            GLib.source_remove(self.watch)
            self.watch = None
        super().close()


def new_event_loop():
    return asyncio.SelectorEventLoop(_Selector())
