// SPDX-License-Identifier: LGPL-2.1-or-later
// What the processes of processes.js run.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System, {exit} from 'system';

export function add(a, b) {
    return a + b;
}

export async function addAsync(a, b) {
    await null;
    return a + b;
}

export function nothing() {
}

export function echo(...args) {
    return args.length === 1 ? args[0] : args;
}

export function square(x) {
    return x * x;
}

export function odd(x) {
    if (x % 2 === 0)
        throw new RangeError(`${x} is even`);
    return x;
}

function count(folder) {
    const list = Gio.File.new_for_path(folder).enumerate_children('standard::name', Gio.FileQueryInfoFlags.NONE, null);
    let n = 0;
    while (list.next_file(null) !== null)
        n++;
    list.close(null);
    return n;
}

// Returns when two processes have been in here.
export async function meet(folder) {
    const pid = new Gio.Credentials().get_unix_pid();
    GLib.file_set_contents(`${folder}/${pid}`, '');
    while (count(folder) < 2)
        await new Promise(resolve => setTimeout(resolve, 1));
    return pid;
}

export function fail(message) {
    const error = new RangeError(message, {cause: {why: 'cause'}});
    error.extra = 7n;
    throw error;
}

export function failOwn() {
    class OwnError extends Error {
        get name() {
            return 'OwnError';
        }
    }
    throw new OwnError('own');
}

export function failValue() {
    throw 'just a text';  // eslint-disable-line no-throw-literal
}

export function failGio() {
    throw new Gio.IOErrorEnum({code: Gio.IOErrorEnum.BUSY, message: 'busy'});
}

export function failStrange() {
    const error = new Error('strange');
    error.callback = () => {};
    throw error;
}

export function returnFunction() {
    return function inner() {};
}

export function die() {
    new Gio.Subprocess({argv: ['kill', '-9', `${new Gio.Credentials().get_unix_pid()}`]}).init(null);
    for (;;)
        GLib.usleep(1000000);
}

// In each way that there is.
export function exitAtOnce(status) {
    System.exit(status);
}

export async function exitLater(status) {
    await null;
    try {
        exit(status);
    } finally {
        print('an exit is final');
    }
}

export async function exitOld(status) {
    await null;
    imports.system.exit(status);
}

// Each attempt leaves a letter.
export function failTwice(path) {
    const text = `${new TextDecoder().decode(GLib.file_get_contents(path)[1])}x`;
    GLib.file_set_contents(path, text);
    if (text.length < 3)
        throw new Error('not yet');
    return text.length;
}

export function wait(context) {
    context.setProgress(0.5, 'waits');
    return new Promise(() => {});
}

export function tellContext(context) {
    context.progress(0.25, 'quarter');
    context.throwIfCancelled();
    return [context.attempt, context.index, context.name, context.cancelled, context.cancellable.is_cancelled()];
}

export async function waitForCancel(context) {
    context.progress(0.5);
    while (!context.cancelled)
        await new Promise(resolve => setTimeout(resolve, 1));
    context.throwIfCancelled();
}

export function progressTo(fraction, context) {
    context.progress(fraction);
}

export function progress(context) {
    for (let i = 0; i <= 100; i++)
        context.setProgress(i / 100, i === 100 ? 'last' : 'more');
}

// In seconds.
export function cpuTime() {
    const stat = new TextDecoder().decode(GLib.file_get_contents('/proc/self/stat')[1]);
    const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14);
    return (Number(user) + Number(system)) / 100;
}

export function getPid() {
    return new Gio.Credentials().get_unix_pid();
}

export function getenv(name) {
    return GLib.getenv(name);
}

export const notFunction = 1;
