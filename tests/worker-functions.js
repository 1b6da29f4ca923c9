// SPDX-License-Identifier: LGPL-2.1-or-later
// Functions for the tests of workers.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

export function add(a, b) {
    return a + b;
}

export async function addAsync(a, b) {
    await null;
    return a + b;
}

export function echo(value) {
    return typeof value?.setProgress === 'function' ? undefined : value;
}

export function big() {
    return 'x'.repeat(1000);
}

export function fail() {
    throw new RangeError('it failed');
}

export async function failAsync() {
    await null;
    throw new Gio.IOErrorEnum({code: Gio.IOErrorEnum.BUSY, message: 'busy'});
}

export function progress(context) {
    for (let i = 0; i <= 1000; i++)
        context.setProgress(i / 1000, i === 1000 ? 'last' : 'more');
}

export function gate(path) {
    const [, bytes] = GLib.file_get_contents(path);
    return new TextDecoder().decode(bytes);
}

export function wait(context) {
    context.setProgress(0, 'waits');
    return new Promise((resolve, reject) => {
        context.cancellable.connect(() => resolve('finished'));
        if (context.cancellable.is_cancelled())
            reject(new Error('too early'));
    });
}

export function hang(context) {
    context.setProgress(0, 'hangs');
    for (;;)
        GLib.usleep(1000000);
}

export function printLine() {
    print('printed');
}

export function task(context) {
    return [context.name, context.attempt, context.index];
}

export function retry_after(seconds, context) {
    context.retryAfter(seconds ?? Infinity);
    throw new Error('not yet');
}

export function inherited() {
    const [, output] = GLib.spawn_command_line_sync('sh -c \'printf %s "${OSIISO_WORKER_FD-nothing}"\'');
    return new TextDecoder().decode(output);
}

export const notFunction = 1;
