// SPDX-License-Identifier: LGPL-2.1-or-later
// Computes the checksum of every file of a folder, in a window: gjs -m folder-index.js FOLDER
//
// The same window as that of main.c, and the same template. JavaScript has no threads,
// so each file is given to a program, in a process of its own.
import Adw from 'gi://Adw?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Gtk from 'gi://Gtk?version=4.0';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

const UI = Gio.File.new_for_uri(import.meta.url).get_parent().get_child('index-window.ui');
const TICK = 250; // milliseconds
const {FAILED, SUCCEEDED} = Osiiso.Status;

/** The files below a folder, one after another; links are not followed. */
function* listFiles(folder) {
    const children = folder.enumerate_children('standard::name,standard::type', Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS, null);
    for (let info; (info = children.next_file(null));) {
        const child = folder.get_child(info.get_name());
        if (info.get_file_type() === Gio.FileType.REGULAR)
            yield child;
        else if (info.get_file_type() === Gio.FileType.DIRECTORY)
            yield* listFiles(child);
    }
}

const IndexWindow = GObject.registerClass({
    GTypeName: 'IndexWindow',
    Template: UI.get_uri(),
    InternalChildren: ['toasts', 'stack', 'totals', 'bar', 'view', 'progress', 'outcome', 'action', 'workers'],
}, class IndexWindow extends Adw.ApplicationWindow {
    _init(properties) {
        super._init(properties);
        this._queue = Osiiso.Queue.new('subprocess');
        this._queue.start();
        this._progress.visible = false; // a command tells of none
        this._workers.bind_property('value', this._queue, 'workers', GObject.BindingFlags.SYNC_CREATE);
        this._setFactory(this._outcome, () => new Gtk.Label({xalign: 0, ellipsize: 3}), (item, handle) => {
            item.child.label = describe(handle);
        });
        this._setFactory(this._action, item => {
            const button = new Gtk.Button({css_classes: ['flat']});
            button.connect('clicked', () => this._onButton(item.item));
            return button;
        }, (item, handle) => {
            item.child.label = handle.is_done() ? 'Retry' : 'Cancel';
            item.child.visible = handle.status !== SUCCEEDED;
        });
        for (const [name, activate] of [['open', () => this._onOpen()], ['stop', () => this._stop()]]) {
            const action = new Gio.SimpleAction({name});
            action.connect('activate', activate);
            this.add_action(action);
        }
        this.add_action(new Gio.PropertyAction({name: 'pause', object: this._queue, property_name: 'paused'}));
        GLib.timeout_add(GLib.PRIORITY_DEFAULT, TICK, () => this._onTick());
    }

    /** A column whose widgets follow the status of their handle. */
    _setFactory(column, make, show) {
        const factory = new Gtk.SignalListItemFactory();
        const connections = new Map();
        factory.connect('setup', (_, item) => item.set_child(make(item)));
        factory.connect('bind', (_, item) => {
            connections.set(item, item.item.connect('notify::status', handle => show(item, handle)));
            show(item, item.item);
        });
        factory.connect('unbind', (_, item) => item.item.disconnect(connections.get(item)));
        column.factory = factory;
    }

    openFolder(folder) {
        this._stop();
        this._group = this._queue.new_group(null);
        this._view.model = new Gtk.NoSelection({model: this._group});
        this._stack.visible_child_name = 'files';
        this._began = GLib.get_monotonic_time();
        const files = this._files = listFiles(folder);
        GLib.idle_add(GLib.PRIORITY_DEFAULT_IDLE, () => this._walk(files, folder));
    }

    /** A few files at a time, so that the window stays awake. */
    _walk(files, folder) {
        for (let i = 0; i < 200 && files === this._files; i++) {
            const {value: file, done} = files.next();
            if (done)
                this._files = null;
            else
                this._submit(file.get_path(), folder.get_relative_path(file));
        }
        return files === this._files;
    }

    _submit(path, name) {
        const options = new Osiiso.TaskOptions({name, metadata: GLib.Variant.new_string(path), retries: 1, retry_delay: 0.5});
        this._group.submit_command(['sha256sum', '--', path], null, options);
    }

    _onButton(handle) {
        if (!handle.cancel())
            this._submit(handle.metadata.unpack(), handle.name);
    }

    _stop() {
        this._files = null;
        this._group?.cancel();
    }

    _onOpen() {
        const dialog = this._dialog = new Gtk.FileChooserNative({title: 'Open Folder', transient_for: this, action: 2});
        dialog.connect('response', (_, response) => response === Gtk.ResponseType.ACCEPT && this.openFolder(dialog.get_file()));
        dialog.show();
    }

    _onTick() {
        if (!this._group || !this._began)
            return true;
        const [n, done] = [this._group.get_n_items(), this._group.get_n_finished()];
        const rate = done / (GLib.get_monotonic_time() - this._began) * 1e6;
        const left = rate ? `, ${Math.round((n - done) / rate)} seconds left` : '';
        let text = `${done} of ${n} files, ${Math.round(rate)} per second${left}`;
        if (done === n && !this._files) {
            this._began = 0;
            const summary = this._group.wait(-1, null);
            text = `${n} files, ${summary.failed} failed, ${summary.cancelled} cancelled`;
            this._toasts.add_toast(new Adw.Toast({title: text}));
        }
        this._bar.fraction = n ? done / n : 0;
        this.title = this._totals.label = text;
        return true;
    }
});

function describe(handle) {
    if (handle.status === SUCCEEDED)
        return handle.get_value().dup_stdout_text().slice(0, 64);
    return handle.status === FAILED ? handle.dup_error().message : ['waiting', 'running', 'retrying', '', '', 'cancelled'][handle.status];
}

const application = new Adw.Application({application_id: 'org.osiiso.FolderIndex.JavaScript', flags: Gio.ApplicationFlags.HANDLES_OPEN});
application.connect('activate', () => (application.active_window ?? new IndexWindow({application})).present());
application.connect('open', (_, files) => {
    application.activate();
    application.active_window.openFolder(files[0]);
});
System.exit(application.run([System.programInvocationName, ...ARGV]));
