// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls, commands and the details of errors from JavaScript, through plain introspection.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

import {assert, assertEqual, assertError, assertThrows, main, test} from './tap.js';

const {Encoding, QueueError} = Osiiso;
const BACKENDS = ['main-loop', 'thread-pool'];
const bytes = text => new GLib.Bytes(new TextEncoder().encode(text));
const text = data => new TextDecoder().decode(data.toArray());
const busy = () => new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');

for (const backend of BACKENDS) {
    test(`values on ${backend}`, () => {
        const queue = Osiiso.Queue.new(backend);
        const group = queue.new_group('id');
        const added = queue.submit_call('test-calls:test_add', new GLib.Variant('(ii)', [3, 4]), null);
        const nothing = group.submit_call('test-calls:test_none', null, null);
        const failed = queue.submit_call_full(Osiiso.Call.new('test-calls:test_fail', null), null);
        assertEqual(added.name, 'test-calls:test_add');
        const summary = queue.run(null);
        assertEqual(added.get_value().deepUnpack(), 7);
        assertEqual(nothing.get_value(), null);
        assertError(failed.dup_error(), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'attempt 1 failed');
        assertEqual([summary.succeeded, summary.failed], [2, 1]);
    });

    test(`many on ${backend}`, () => {
        const queue = Osiiso.Queue.new(backend);
        const handles = Array.from({length: 1000}, (_, i) =>
            queue.submit_call('test-calls:test_add', new GLib.Variant('(ii)', [i, 1]), null));
        System.gc();
        queue.run(null).check();
        System.gc();
        assertEqual(handles.map(handle => handle.get_value().unpack()), handles.map((_, i) => i + 1));
    });
}

test('errors', () => {
    const queue = Osiiso.Queue.new('thread-pool');
    assertThrows(QueueError, QueueError.INVALID, () => queue.submit_call('none', null, null));
    assertThrows(QueueError, QueueError.NOT_SUPPORTED, () =>
        queue.submit_call_full(Osiiso.Call.new_json('m:f', '[]'), null));
    const error = assertThrows(QueueError, QueueError.NOT_SUPPORTED, () => queue.submit_command(['true'], null, null));
    assertEqual(error.message, "the backend 'thread-pool' does not run commands; 'subprocess' does");
    const absent = queue.submit_call('absent:f', null, null);
    queue.run(null);
    assertError(absent.dup_error(), QueueError, QueueError.NOT_FOUND);
});

test('calls', () => {
    const json = Osiiso.Call.new_json('file:///m.js:f', '[1]');
    assertEqual([json.get_function(), json.get_encoding(), json.get_json()], ['file:///m.js:f', Encoding.JSON, '[1]']);
    assertEqual([json.get_args(), json.get_bytes(), json.get_preamble()], [null, null, null]);
    const opaque = Osiiso.Call.new_bytes('m:f', bytes('arguments'));
    opaque.set_preamble(bytes('preamble'));
    assertEqual([text(opaque.get_bytes()), text(opaque.get_preamble())], ['arguments', 'preamble']);
    assertEqual(Osiiso.Call.new('m:f', new GLib.Variant('i', 7)).get_args().unpack(), 7);
});

test('commands', () => {
    const command = new Osiiso.Command({argv: ['sort', '-r'], cwd: '/tmp', environ: ['A=1'], outputLimit: 10,
        mergeStderr: true, stdinBytes: bytes('b\na\n')});
    assertEqual([command.argv.join(' '), command.get_argv().join(' ')], ['sort -r', 'sort -r']);
    assertEqual([command.cwd, command.environ.join(' '), command.output_limit], ['/tmp', 'A=1', 10]);
    assertEqual([command.merge_stderr, command.search_path, text(command.stdin_bytes)], [true, true, 'b\na\n']);
    const result = Osiiso.CommandResult.new(3 << 8, bytes('out'), 7, null, 0, 1.5, 0.5, 0.25, 4096);
    assertEqual([result.get_exit_status(), result.get_signal(), result.get_stdout_dropped()], [3, 0, 7]);
    assertEqual([text(result.get_stdout()), result.dup_stdout_text(), result.dup_stderr_text()], ['out', 'out', '']);
});

test('details of errors', () => {
    const queue = Osiiso.Queue.new('main-loop');
    const result = Osiiso.CommandResult.new(3 << 8, null, 0, bytes('err'), 0, 0, 0, 0, 0);
    const words = queue.submit(attempt => attempt.return_error_details(busy(), 'details'), null);
    const boxed = queue.submit(attempt => attempt.return_error_details(busy(), result), null);
    const none = queue.submit(attempt => attempt.return_error_details(busy(), null), null);
    const object = queue.submit(attempt => attempt.return_error_details(busy(), {left: 'out'}), null);
    queue.run(null);
    System.gc();
    assertEqual(words.get_error_details(), 'details');
    assertEqual(boxed.dup_result().get_error_details().dup_stderr_text(), 'err');
    assertEqual([none.get_error_details(), object.get_error_details()], [null, null]);
    for (const handle of [words, boxed, none, object]) {
        assertEqual(handle.get_value(), null);
        assertError(handle.dup_error(), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
    }
    assert(words.dup_error_details() === 'details');
});

await main(ARGV);
