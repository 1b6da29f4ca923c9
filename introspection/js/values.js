// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Values of JavaScript as text, for the way to another process and back.
//
// What JSON can hold is JSON. Anything else begins with a space, which JSON.stringify()
// never writes, and is a list: the value itself and then each object that it consists of,
// once, however often it is used. In there, what is no list stands for itself, and a list
// begins with what it means:
//
//     [number]      the object with that number, from 1 on
//     ['u'] ['n', 'NaN'] ['i', '123']    undefined, a number that JSON lacks, a BigInt
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';

// Deeper ones are not read by a function that calls itself.
const MAX_DEPTH = 100;

// Without what objects inherit: names in text are looked up here.
const ERRORS = {
    __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError,
};
const VIEWS = {
    __proto__: null, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
    Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView,
};

// What an error has of its own without having been given it.
const ERROR_KEYS = new Set(['name', 'message', 'stack', 'cause', 'errors', 'fileName', 'lineNumber', 'columnNumber']);

const tagOf = value => Object.prototype.toString.call(value).slice(8, -1);

function describe(value) {
    if (typeof value === 'function')
        return `a function${value.name ? ` ('${value.name}')` : ''}`;
    if (typeof value === 'symbol')
        return value.toString();
    const name = value.constructor?.name;
    return name ? `an object of ${name}` : 'such an object';
}

// Whether it is a structure of C. JavaScript's own Object has a type, too.
function isBoxed(value) {
    const type = value.constructor;
    return typeof type === 'function' && type !== Object && Object.hasOwn(type, '$gtype');
}

// A value that has no form as text.
function refuse(value, path) {
    throw new TypeError(`${path} cannot be sent to another process: ${describe(value)}`);
}

// Whether the value survives as JSON, and is not too much to find out.
function isPlain(value, seen, depth) {
    switch (typeof value) {
    case 'string':
    case 'boolean':
        return true;
    case 'number':
        return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
        break;
    default:
        return false;
    }
    if (value === null)
        return true;
    // One that is there twice has to be the same one over there.
    if (depth > MAX_DEPTH || seen.has(value))
        return false;
    seen.add(value);

    if (Array.isArray(value)) {
        const n = value.length;
        for (let i = 0; i < n; i++) {
            const item = value[i];
            if (typeof item === 'string')
                continue;
            if (!isPlain(item, seen, depth + 1))
                return false;
        }
        // Others have names, too.
        return Object.getPrototypeOf(value) === Array.prototype && Object.keys(value).length === n;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype)
        return false;
    for (const key in value) {
        // It may be a getter, which may have something else to say the next time.
        if (!isPlain(value[key], seen, depth + 1))
            return false;
    }
    return typeof value.toJSON !== 'function';
}

function toBase64(bytes) {
    return bytes.length > 0 ? GLib.base64_encode(bytes) : '';
}

function fromBase64(text) {
    // What is not to be converted makes GJS free the same memory twice.
    if (typeof text !== 'string')
        throw new SyntaxError(`${JSON.stringify(text)} is no text of bytes`);
    // A copy: what GLib has made is not for a buffer that can be given away.
    return text ? new Uint8Array(GLib.base64_decode(text)) : new Uint8Array(0);
}

class Writer {
    constructor(name) {
        this.list = [null];
        this.numbers = new Map();
        this.objects = [];
        this.paths = [];
        this.name = name;
    }

    // How the value stands in the list; an object is looked at later.
    slot(value, path, key) {
        switch (typeof value) {
        case 'string':
        case 'boolean':
            return value;
        case 'number':
            return Number.isFinite(value) && !Object.is(value, -0) ? value
                : ['n', Object.is(value, -0) ? '-0' : `${value}`];
        case 'undefined':
            return ['u'];
        case 'bigint':
            return ['i', `${value}`];
        case 'object':
            break;
        default:
            return refuse(value, this.pathOf(path, key));
        }
        if (value === null)
            return null;
        let number = this.numbers.get(value);
        if (number === undefined) {
            number = this.objects.push(value);
            this.numbers.set(value, number);
            this.paths.push(path === null ? null : [path, key]);
        }
        return [number];
    }

    // Only made when there is something to complain of.
    pathOf(path, key) {
        const keys = [];
        for (let place = path === null ? null : [path, key]; place !== null; place = place[0].above)
            keys.unshift(place[1]);
        return keys.reduce((text, part) => typeof part === 'number' ? `${text}[${part}]` : `${text}.${part}`, this.name);
    }

    write(value) {
        this.list[0] = this.slot(value, null, null);
        for (let i = 0; i < this.objects.length; i++) {
            const above = this.paths[i];
            this.list.push(this.describe(this.objects[i], {above}));
        }
        return ` ${JSON.stringify(this.list)}`;
    }

    // Names and values of what the object itself has.
    fields(object, path, keys = Object.keys(object)) {
        const result = [];
        for (const key of keys)
            result.push(key, this.slot(object[key], path, key));
        return result;
    }

    array(array, path) {
        const n = array.length;
        const keys = Object.keys(array);
        if (keys.length === n && (n === 0 || keys[n - 1] === `${n - 1}`))
            return ['A', ...array.map((item, i) => this.slot(item, path, i))];
        return ['S', n, ...this.fields(array, path, keys)];
    }

    error(error, path) {
        const own = Object.keys(error).filter(key => !ERROR_KEYS.has(key));
        for (const key of ['cause', 'errors']) {
            if (Object.hasOwn(error, key))
                own.push(key);
        }
        return ['E', `${error.name}`, `${error.message}`, `${error.stack ?? ''}`, ...this.fields(error, path, own)];
    }

    view(view) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
        return ['V', view instanceof DataView ? 'DataView' : tagOf(view), toBase64(bytes)];
    }

    describe(value, path) {
        if (Array.isArray(value))
            return this.array(value, path);
        if (value instanceof GLib.Error)
            return ['G', GLib.quark_to_string(value.domain), value.code, `${value.message}`, `${value.stack ?? ''}`];
        if (ArrayBuffer.isView(value))
            return this.view(value);
        if (value instanceof Error)
            return this.error(value, path);

        switch (tagOf(value)) {
        case 'Date':
            return ['D', value.getTime()];
        case 'RegExp':
            return ['R', value.source, value.flags];
        case 'Map': {
            const list = ['M'];
            for (const [key, item] of value)
                list.push(this.slot(key, path, 'keys()'), this.slot(item, path, 'values()'));
            return list;
        }
        case 'Set':
            return ['T', ...Array.from(value, item => this.slot(item, path, 'values()'))];
        case 'ArrayBuffer':
            return ['B', toBase64(new Uint8Array(value))];
        case 'Number':
        case 'String':
        case 'Boolean':
        case 'BigInt':
            return ['P', this.slot(value.valueOf(), path, 'valueOf()')];
        case 'Symbol':
        case 'Promise':
        case 'WeakMap':
        case 'WeakSet':
        case 'WeakRef':
        case 'Generator':
        case 'AsyncGenerator':
            return refuse(value, this.pathOf(path.above === null ? null : path.above[0], path.above?.[1]));
        default:
            break;
        }
        // What belongs to C exists in this process only.
        if (value instanceof GObject.Object || isBoxed(value))
            return refuse(value, this.pathOf(path.above === null ? null : path.above[0], path.above?.[1]));
        return ['O', ...this.fields(value, path)];
    }
}

// The value as text. It throws a TypeError that says what cannot be sent; name is
// what the value is called there.
export function encode(value, name = 'the value') {
    if (isPlain(value, new Set(), 0))
        return JSON.stringify(value);
    return new Writer(name).write(value);
}

// Arguments of a call, of which most are plain values.
export function encodeArguments(args) {
    for (let i = 0; i < args.length; i++) {
        const type = typeof args[i];
        if (type !== 'string' && type !== 'boolean' &&
            !(type === 'number' && Number.isFinite(args[i]) && !Object.is(args[i], -0)))
            return encode(args, 'arguments');
    }
    return JSON.stringify(args);
}

function makeError(name, message, stack) {
    const Type = ERRORS[name] ?? Error;
    const error = new Type(message);
    const define = (key, value) =>
        Object.defineProperty(error, key, {value, writable: true, configurable: true, enumerable: false});
    if (error.name !== name)
        define('name', name);
    define('stack', stack);
    return error;
}

function makeGError(domain, code, message, stack) {
    const error = new GLib.Error(GLib.quark_from_string(domain), code, message);
    error.stack = stack;
    return error;
}

// An object without what it refers to.
function makeShell(item) {
    switch (item[0]) {
    case 'A':
        return [];
    case 'S':
        return new Array(item[1]);
    case 'O':
        return {};
    case 'E':
        return makeError(item[1], item[2], item[3]);
    case 'G':
        return makeGError(item[1], item[2], item[3], item[4]);
    case 'V': {
        const {buffer} = fromBase64(item[2]);
        if (!VIEWS[item[1]])
            throw new SyntaxError(`'${item[1]}' is no kind of array`);
        return new VIEWS[item[1]](buffer);
    }
    case 'B':
        return fromBase64(item[1]).buffer;
    case 'D':
        return new Date(item[1] ?? NaN);
    case 'R':
        return new RegExp(item[1], item[2]);
    case 'M':
        return new Map();
    case 'T':
        return new Set();
    case 'P':
        return Object(Array.isArray(item[1]) ? readSlot(item[1], []) : item[1]);
    default:
        throw new SyntaxError(`'${item[0]}' does not stand for a kind of object`);
    }
}

function readSlot(slot, objects) {
    if (!Array.isArray(slot))
        return slot;
    switch (slot[0]) {
    case 'u':
        return undefined;
    case 'n':
        return Number(slot[1]);
    case 'i':
        return BigInt(slot[1]);
    default:
        if (!(slot[0] in objects) || slot[0] === 0)
            throw new SyntaxError(`there is no object ${JSON.stringify(slot[0])}`);
        return objects[slot[0]];
    }
}

function setField(object, key, value) {
    // That name means something else when it is assigned to.
    if (key === '__proto__')
        Object.defineProperty(object, key, {value, writable: true, configurable: true, enumerable: true});
    else
        object[key] = value;
}

function fill(object, item, objects) {
    let first = 1;

    switch (item[0]) {
    case 'A':
        for (let i = 1; i < item.length; i++)
            object.push(readSlot(item[i], objects));
        return;
    case 'M':
        for (let i = 1; i < item.length; i += 2)
            object.set(readSlot(item[i], objects), readSlot(item[i + 1], objects));
        return;
    case 'T':
        for (let i = 1; i < item.length; i++)
            object.add(readSlot(item[i], objects));
        return;
    case 'E':
        first = 4;
        break;
    case 'S':
        first = 2;
        break;
    case 'O':
        break;
    default:
        return;
    }
    for (let i = first; i < item.length; i += 2) {
        const value = readSlot(item[i + 1], objects);
        if (item[0] === 'E' && (item[i] === 'cause' || item[i] === 'errors'))
            Object.defineProperty(object, item[i], {value, writable: true, configurable: true, enumerable: false});
        else
            setField(object, item[i], value);
    }
}

function read(list) {
    const objects = [null];
    for (let i = 1; i < list.length; i++)
        objects.push(makeShell(list[i]));
    for (let i = 1; i < list.length; i++)
        fill(objects[i], list[i], objects);
    return readSlot(list[0], objects);
}

// The value that encode() has made text of. Any other text is a SyntaxError, or a value
// that nobody has sent: a process that was taken over can say what it likes.
export function decode(text) {
    const list = JSON.parse(text);
    if (text[0] !== ' ')
        return list;
    try {
        if (!Array.isArray(list))
            throw new SyntaxError('it is no list');
        return read(list);
    } catch (error) {
        throw new SyntaxError(`the text stands for no value: ${error.message}`, {cause: error});
    }
}

// What is said of an error where nothing but text can be told.
export function describeError(error) {
    if (error instanceof GLib.Error)
        return {name: error.constructor.name, message: error.message, stack: error.stack ?? ''};
    if (error instanceof Error)
        return {name: `${error.name}`, message: `${error.message}`, stack: error.stack ?? ''};
    let message;
    try {
        message = `${error}`;
    } catch {
        message = typeof error === 'symbol' ? error.toString() : 'an object that has no text';
    }
    return {name: '', message, stack: ''};
}

// The same with all that the error has, as far as it can be sent.
export function encodeError(error) {
    try {
        return new Writer('the error').write(error);
    } catch {
        const {name, message, stack} = describeError(error);
        return new Writer('the error').write(makeError(name || 'Error', message, stack));
    }
}
