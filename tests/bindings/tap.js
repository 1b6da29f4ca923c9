// SPDX-License-Identifier: LGPL-2.1-or-later
// A small test runner that reports in TAP.
import GLib from 'gi://GLib';
import System from 'system';

// No test takes this long; one that does has gone wrong.
const TIMEOUT = 30;

const tests = [];

export function test(name, func) {
    tests.push({name, func});
}

export function assert(condition, message = 'assertion failed') {
    if (!condition)
        throw new Error(message);
}

// Compares plain values, and arrays and objects made of them; GObjects are
// compared by identity.
function same(a, b) {
    if (Object.is(a, b))
        return true;
    if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object')
        return false;
    const plain = x => Array.isArray(x) || Object.getPrototypeOf(x) === Object.prototype;
    if (!plain(a) || !plain(b))
        return false;
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every(key => same(a[key], b[key]));
}

export function assertEqual(found, expected) {
    if (!same(found, expected))
        throw new Error(`found ${show(found)}, expected ${show(expected)}`);
}

function show(value) {
    return Array.isArray(value) ? `[${value.map(show).join(', ')}]` : String(value);
}

export function assertError(error, domain, code, message) {
    assert(error instanceof GLib.Error, `${error} is not a GLib.Error`);
    assert(error.matches(domain, code), `${error} does not match ${code}`);
    if (message !== undefined)
        assertEqual(error.message, message);
}

// Returns the error, for more looks at it.
export function assertThrows(domain, code, func) {
    try {
        func();
    } catch (error) {
        assertError(error, domain, code);
        return error;
    }
    throw new Error('nothing was thrown');
}

export async function assertRejects(domain, code, promise) {
    try {
        await promise;
    } catch (error) {
        assertError(error, domain, code);
        return error;
    }
    throw new Error('the promise was not rejected');
}

// Lets everything that the main context has in store happen. Promises go on only
// afterwards, so this is for code that does not await anything.
export function settle() {
    System.gc();
    while (GLib.MainContext.default().iteration(false))
        ;
}

// The same for code that does.
export async function turn() {
    for (let i = 0; i < 3; i++) {
        System.gc();
        await new Promise(resolve => GLib.idle_add(GLib.PRIORITY_LOW, () => {
            resolve();
            return GLib.SOURCE_REMOVE;
        }));
    }
}

function runOne(func) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('timed out')), TIMEOUT * 1000);
        // From the main loop, so that a test does not begin inside a promise's job.
        setTimeout(async () => {
            try {
                await func();
                resolve();
            } catch (error) {
                reject(error);
            } finally {
                clearTimeout(timer);
            }
        }, 0);
    });
}

// Runs the tests, or those of them whose names are among the arguments.
export async function main(names) {
    const chosen = tests.filter(({name}) => names.length === 0 || names.includes(name));
    print('TAP version 13');
    print(`1..${chosen.length}`);
    for (const [i, {name, func}] of chosen.entries()) {
        try {
            await runOne(func);
            print(`ok ${i + 1} - ${name}`);
        } catch (error) {
            print(`not ok ${i + 1} - ${name}`);
            for (const line of `${error}\n${error.stack ?? ''}`.trim().split('\n'))
                print(`# ${line}`);
        }
    }
    // Calls that are under way when the interpreter goes crash it.
    await turn();
    // The lines say what failed. Meson takes any other status for a crash.
    System.exit(0);
}
