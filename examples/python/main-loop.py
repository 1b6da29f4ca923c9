#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checksums of files in threads, while a GLib.MainLoop stays free for everything else.

Usage: main-loop.py FILE...
"""
import hashlib
import sys

import gi

gi.require_version('Osiiso', '1')
from gi.repository import GLib, Osiiso  # noqa: E402


def checksum(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def on_complete(_queue, handle):
    # In the thread of the main loop, like everything that a queue tells.
    error = handle.exception()
    print(f'{handle.get_name()}: {error}' if error else f'{handle.result()}  {handle.get_name()}')


def on_finished(queue, result):
    summary = queue.run_finish(result)
    print(f'{summary.props.succeeded} of {summary.props.total_submitted} files')
    loop.quit()


def greet():
    print('the loop is free')
    return GLib.SOURCE_REMOVE


loop = GLib.MainLoop()
queue = Osiiso.Queue(backend_name='thread-pool', workers=4)
queue.connect('on-complete', on_complete)
for name in sys.argv[1:]:
    queue.submit(checksum, name, name=name)
GLib.idle_add(greet, priority=GLib.PRIORITY_HIGH)
queue.run_async(None, on_finished)
loop.run()
