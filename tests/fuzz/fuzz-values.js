// SPDX-License-Identifier: LGPL-2.1-or-later
// The text in which values of JavaScript go to worker processes and back:
//
//     gjs -m fuzz-values.js SECONDS [SEED]
//
// Values that are made at random survive the way; text that was damaged is a value or a
// SyntaxError, whatever is wrong with it, and takes no time or room out of proportion.
import GLib from 'gi://GLib';
import System from 'system';

import {decode, encode, encodeArguments} from '../../introspection/js/values.js';

const SECONDS = Number(ARGV[0]);
const SEED = Number(ARGV[1] ?? GLib.random_int());

let state = SEED * 2654435761 >>> 0 || 1;

function random(n) {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
}

const pick = list => list[random(list.length)];

// ---- Values

const KEYS = ['a', 'key', '__proto__', 'constructor', 'toJSON', 'length', '0', '7', '', '\u{1f600}', 'cause', 'name'];
const SCALARS = [
    () => null, () => undefined, () => true, () => false, () => 0, () => -0, () => NaN, () => Infinity,
    () => -Infinity, () => random(1000) - 500, () => Number.MAX_SAFE_INTEGER, () => random(2 ** 31) / 7,
    () => '', () => ' ', () => '["u"]', () => '\u0000\ud800', () => '\u{1f600}'.repeat(random(4)),
    () => BigInt(random(1000)) ** 20n, () => new Date(random(2 ** 31)), () => new Date(NaN), () => /a+(?<b>c)/giu,
    () => new Uint8Array(random(20)).fill(random(256)), () => new Float64Array([1.5, -0]), () => new ArrayBuffer(random(9)),
    () => new DataView(new ArrayBuffer(4)), () => new Error('wrong'), () => new RangeError('far', {cause: random(9)}),
    () => new GLib.Error(GLib.quark_from_string('fuzz-domain'), random(9), 'of C'), () => Object(random(9)), () => Object('boxed'),
];

const CONTAINERS = [
    (n, all) => Array.from({length: n}, () => make(all)),
    (n, all) => {
        const array = new Array(n * 3);
        array[random(n * 3 + 1)] = make(all);
        return array;
    },
    (n, all) => {
        const object = {};
        for (let i = 0; i < n; i++)
            Object.defineProperty(object, pick(KEYS), {value: make(all), enumerable: true, writable: true, configurable: true});
        return object;
    },
    (n, all) => new Map(Array.from({length: n}, () => [make(all), make(all)])),
    (n, all) => new Set(Array.from({length: n}, () => make(all))),
];

// Some of the objects are there more than once, or in themselves.
function make(all) {
    if (all.length > 0 && random(8) === 0)
        return pick(all);
    if (all.left-- <= 0 || random(3) === 0)
        return pick(SCALARS)();
    const value = pick(CONTAINERS)(random(5), all);
    all.push(value);
    return value;
}

function makeValue() {
    const all = Object.assign([], {left: random(30)});
    return make(all);
}

// ---- Whether two are the same, in what they hold and in what is the same object

function difference(one, other, pairs, path) {
    if (Object.is(one, other))
        return null;
    if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
        return `${path}: ${String(one)} and ${String(other)}`;
    if (pairs.has(one) && !(one instanceof GLib.Error))
        return pairs.get(one) === other ? null : `${path}: another object`;
    pairs.set(one, other);

    const tag = value => Object.prototype.toString.call(value);
    if (tag(one) !== tag(other))
        return `${path}: ${tag(one)} and ${tag(other)}`;
    const parts = [];
    if (one instanceof Map || one instanceof Set) {
        parts.push([[...one].flat(), [...other].flat(), '()']);
    } else if (one instanceof Date) {
        return Object.is(one.getTime(), other.getTime()) ? null : `${path}: another time`;
    } else if (one instanceof RegExp) {
        return `${one}` === `${other}` ? null : `${path}: another expression`;
    } else if (one instanceof ArrayBuffer || ArrayBuffer.isView(one)) {
        const bytes = value => value instanceof ArrayBuffer ? new Uint8Array(value)
            : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        return `${bytes(one)}` === `${bytes(other)}` ? null : `${path}: other bytes`;
    } else if (one instanceof GLib.Error) {
        for (const key of ['domain', 'code', 'message', 'stack'])
            parts.push([one[key], other[key], `.${key}`]);
    } else if (one instanceof Number || one instanceof String) {
        return one.valueOf() === other.valueOf() ? null : `${path}: ${one} and ${other}`;
    } else if (one instanceof Error) {
        for (const key of ['name', 'message', 'stack', 'cause'])
            parts.push([one[key], other[key], `.${key}`]);
    } else {
        if (Array.isArray(one) && one.length !== other.length)
            return `${path}: ${one.length} and ${other.length} items`;
        const keys = Object.keys(one);
        if (`${keys}` !== `${Object.keys(other)}`)
            return `${path}: ${keys} and ${Object.keys(other)}`;
        for (const key of keys)
            parts.push([one[key], other[key], `.${key}`]);
    }
    for (const [mine, theirs, name] of parts) {
        const found = difference(mine, theirs, pairs, path + name);
        if (found)
            return found;
    }
    return null;
}

// ---- Text that was damaged

const PIECES = ['[', ']', '{', '}', ',', '"', ' ', '\\', '0', '-1', '1e9', '4294967295', '1e999', 'null', '"u"', '"n"', '"i"',
    '"A"', '"S"', '"O"', '"E"', '"G"', '"V"', '"B"', '"D"', '"R"', '"M"', '"T"', '"P"', '"constructor"', '"__proto__"',
    '"Uint8Array"', '"Float64Array"', '"DataView"', '"AAA="', '"(("', '["i","x"]', '[9]', '[-1]', '[0.5]', '["u"]', '[]', '{}'];

function damage(text) {
    for (let n = 1 + random(4); n > 0; n--) {
        const place = random(text.length + 1);
        const length = random(3) === 0 ? random(12) : random(2);
        const piece = random(4) === 0 ? '' : pick(PIECES);
        // What is rich begins with a space, and would be nothing but JSON without it.
        text = random(50) === 0 ? text : text.slice(0, place) + piece + text.slice(place + length);
    }
    return text;
}

// ---- Both, for so long

const deadline = GLib.get_monotonic_time() + SECONDS * 1e6;
let values = 0, refused = 0, taken = 0, slowest = 0;

print('1..1');
try {
    while (GLib.get_monotonic_time() < deadline) {
        const value = makeValue();
        const text = encode(value);
        const found = difference(value, decode(text), new Map(), 'value');
        if (found)
            throw new Error(`${found}; the text was ${text}`);
        const list = decode(encodeArguments([value, values]));
        if (list.length !== 2 || list[1] !== values)
            throw new Error(`arguments became ${list.length} values`);
        values++;

        for (let i = 0; i < 20; i++) {
            const broken = damage(random(3) === 0 ? ` ${text.trimStart()}` : text);
            const begin = GLib.get_monotonic_time();
            try {
                decode(broken);
                taken++;
            } catch (error) {
                if (!(error instanceof SyntaxError))
                    throw new Error(`${error} of ${broken}`, {cause: error});
                refused++;
            }
            slowest = Math.max(slowest, GLib.get_monotonic_time() - begin);
        }
        if (values % 1000 === 0)
            System.gc();
    }
    print(`# seed ${SEED}: ${values} values came back, damaged text: ${taken} taken, ${refused} refused, ` +
        `slowest ${(slowest / 1000).toFixed(1)} ms`);
    print(values > 0 && refused > 0 && taken > 0 ? 'ok 1 - values' : 'not ok 1 - values');
} catch (error) {
    print(`# seed ${SEED}, value ${values}: ${error.message}\n# ${String(error.cause?.stack ?? error.stack).trim().replaceAll('\n', '\n# ')}`);
    print('not ok 1 - values');
    System.exit(1);
}
