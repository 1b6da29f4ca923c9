// SPDX-License-Identifier: LGPL-2.1-or-later
// Values of JavaScript as text, and text that nobody has made of a value.
import GLib from 'gi://GLib';

import {assert, assertEqual, main, test} from '../bindings/tap.js';
import {decode, encode} from '../../introspection/js/values.js';
import {assertThrown} from './helpers.js';

test('what is plain is JSON', () => {
    for (const value of [null, true, 0.5, '', ' ', '\ud800', [], [1, 'a', [null]], {a: {b: []}}])
        assertEqual(encode(value), JSON.stringify(value));
});

test('what JSON lacks comes back', () => {
    const value = {map: new Map([[1n, new Set([undefined])]]), number: -0, date: new Date(5), bytes: new Uint8Array([1, 2])};
    value.self = value;
    const copy = decode(encode(value));
    assert(copy.self === copy && Object.is(copy.number, -0) && copy.date.getTime() === 5);
    assert([...copy.map.get(1n)][0] === undefined && `${copy.bytes}` === '1,2');
});

test('an object named __proto__ stays a field', () => {
    const copy = decode(encode(new Map([[0, JSON.parse('{"__proto__": {"evil": 1}}')]]))).get(0);
    assert(Object.hasOwn(copy, '__proto__') && copy.evil === undefined);
});

// The first ones made GJS free memory twice, the next ones found what objects inherit.
for (const text of [' [[1],["V","Uint8Array",[15]]]', ' [[1],["B",7]]', ' [[1],["B",{}]]',
    ' [[1],["V","constructor","AAAA"]]', ' [[1],["V","__proto__","AAAA"]]', ' [[1],["V","Float64Array","AAAA"]]',
    ' [[9]]', ' [[0]]', ' [["x"]]', ' [[1]]', ' [[1],null]', ' [[1],["Z"]]', ' [[1],["R","(("]]', ' [["i","x"]]',
    ' [[1],["S",-1]]', ' [[1],["O","a",[2]]]', ' {}', ' 5', ' null', ' [', '[', '']) {
    test(`'${text}' is refused`, () => assertThrown(SyntaxError, /./, () => decode(text)));
}

test('an error that was made up by somebody', () => {
    const error = decode(' [[1],["E","toString","message","stack"]]');
    assert(error instanceof Error && error.name === 'toString' && error.message === 'message');
    const ours = decode(' [[1],["G","a-domain",7,"text",""]]');
    assert(ours instanceof GLib.Error && ours.code === 7 && GLib.quark_to_string(ours.domain) === 'a-domain');
});

await main(ARGV);
