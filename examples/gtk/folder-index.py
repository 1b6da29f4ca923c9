#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes the checksum of every file of a folder, in a window, as main.c does it: folder-index.py FOLDER"""
import gc
import hashlib
import os
import pathlib
import sys
import time

import gi
gi.require_version('Adw', '1')
gi.require_version('Osiiso', '1')
from gi.repository import Adw, Gio, GLib, GObject, Gtk, Osiiso  # noqa: E402

CHUNK = 256 * 1024
TICK = 250  # milliseconds


def hash_file(attempt, path):
    """In a thread of the pool."""
    cancellable = attempt.get_cancellable()
    digest = hashlib.sha256()
    try:
        with open(path, 'rb') as file:
            size = os.fstat(file.fileno()).st_size
            while (chunk := file.read(CHUNK)) and not cancellable.is_cancelled():
                digest.update(chunk)
                attempt.set_progress(min(1, file.tell() / (size or 1)), None)
        attempt.set_progress(1, None)
        attempt.return_string(digest.hexdigest())
    except OSError as error:
        attempt.return_error_literal(Gio.io_error_quark(), Gio.io_error_from_errno(error.errno), str(error))


@Gtk.Template(filename=str(pathlib.Path(__file__).with_name('index-window.ui')))
class IndexWindow(Adw.ApplicationWindow):
    __gtype_name__ = 'IndexWindow'
    toasts, stack, totals, bar, view, outcome, action, workers = (Gtk.Template.Child() for _ in range(8))

    def __init__(self, **properties):
        super().__init__(**properties)
        self.queue = Osiiso.Queue.new('thread-pool')
        self.queue.start()
        self.workers.bind_property('value', self.queue, 'workers', GObject.BindingFlags.SYNC_CREATE)
        self.group = self.files = self.began = None
        self.set_factory(self.outcome, lambda _: Gtk.Label(xalign=0, ellipsize=3), self.show_outcome)
        self.set_factory(self.action, self.make_button, self.show_action)
        self.add_action_entries([('open', self.on_open), ('stop', lambda *_: self.stop())])
        self.add_action(Gio.PropertyAction(name='pause', object=self.queue, property_name='paused'))
        GLib.timeout_add(TICK, self.on_tick)

    @staticmethod
    def set_factory(column, make, show):
        """A column whose widgets follow the status of their handle."""
        factory = Gtk.SignalListItemFactory()
        connections = {}

        def bind(_factory, item):
            handle = item.get_item()
            connections[item] = handle.connect('notify::status', lambda *_: show(item, handle))
            show(item, handle)

        factory.connect('setup', lambda _factory, item: item.set_child(make(item)))
        factory.connect('bind', bind)
        factory.connect('unbind', lambda _factory, item: item.get_item().disconnect(connections.pop(item)))
        column.set_factory(factory)

    def show_outcome(self, item, handle):
        error = handle.dup_error()
        item.get_child().set_label(str(handle.get_value() or (error and error.message) or handle.get_status().value_nick))

    def show_action(self, item, handle):
        item.get_child().set_label('Retry' if handle.is_done() else 'Cancel')
        item.get_child().set_visible(handle.get_status() != Osiiso.Status.SUCCEEDED)

    def make_button(self, item):
        button = Gtk.Button(css_classes=['flat'])
        button.connect('clicked', lambda _: self.on_button(item.get_item()))
        return button

    def on_button(self, handle):
        if not handle.cancel():
            self.submit(handle.get_metadata().unpack(), handle.get_name())

    def submit(self, path, name):
        self.group.submit(hash_file, path, options=Osiiso.TaskOptions(
            name=name, metadata=GLib.Variant('s', path), retries=1, retry_delay=0.5))

    def open_folder(self, folder):
        self.stop()
        self.group, self.began = self.queue.new_group(), time.monotonic()
        self.view.set_model(Gtk.NoSelection(model=self.group))
        self.stack.set_visible_child_name('files')
        self.files = (path for path in pathlib.Path(folder).rglob('*') if path.is_file() and not path.is_symlink())
        GLib.idle_add(self.walk, self.files, folder)

    def walk(self, files, folder):
        """A few files at a time, so that the window stays awake."""
        for _ in range(200 if files is self.files else 0):
            path = next(files, None)
            if not path:
                self.files = None
                break
            self.submit(str(path), str(path.relative_to(folder)))
        return files is self.files

    def stop(self):
        self.files = None
        if self.group:
            self.group.cancel()

    def on_open(self, *_):
        self.dialog = Gtk.FileChooserNative(title='Open Folder', transient_for=self, action=2)  # of a folder
        self.dialog.connect('response', lambda dialog, response: response == Gtk.ResponseType.ACCEPT
                            and self.open_folder(dialog.get_file().get_path()))
        self.dialog.show()

    def on_tick(self):
        if not self.began:
            return True
        n, done = self.group.get_n_items(), self.group.get_n_finished()
        rate = done / (time.monotonic() - self.began)
        text = f'{done} of {n} files, {rate:.0f} per second' + (f', {(n - done) / rate:.0f} seconds left' if rate else '')
        self.bar.set_fraction(done / n if n else 0)
        if done == n and self.files is None:
            self.began = 0
            summary = self.group.wait()
            text = f'{n} files, {summary.get_failed()} failed, {summary.get_cancelled()} cancelled'
            self.toasts.add_toast(Adw.Toast(title=text))
        self.totals.set_label(text)
        self.set_title(text)
        return True


def show_window(application):
    window = application.get_active_window() or IndexWindow(application=application)
    window.present()
    return window


# Python collects garbage in whatever thread it is in, but widgets may go in this one only.
gc.disable()
GLib.timeout_add_seconds(1, lambda: gc.collect() >= 0)
application = Adw.Application(application_id='org.osiiso.FolderIndex.Python', flags=Gio.ApplicationFlags.HANDLES_OPEN)
application.connect('activate', show_window)
application.connect('open', lambda self, files, *_: show_window(self).open_folder(files[0].get_path()))
sys.exit(application.run(sys.argv))
