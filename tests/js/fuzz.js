// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls everything that is introspected, with arguments that fit and others that do not:
//
//     gjs -m fuzz.js SEED CALLS
//
// Whatever is thrown is all right. The process must not die of it, and must not hang.
import Gio from 'gi://Gio';
import GIRepository from 'gi://GIRepository';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

const [SEED, CALLS] = ARGV.map(Number);
const {InfoType, TypeTag} = GIRepository;

// Its file descriptors would be anybody's, or it ends the process.
const LEFT_OUT = new Set(['WorkerChannel.new', 'WorkerChannel.new_default', 'WorkerChannel.exit_when_closed',
    // A name that is taken stays so.
    'Backend.register',
    // They wait in the thread of the main loop, where nothing would happen.
    'Backend.take_wait', 'Backend.serve']);

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
const chance = percent => random(100) < percent;

// ---- What there is to be called

function listMethods() {
    const repository = GIRepository.Repository.get_default();
    const found = [];
    for (let i = 0; i < repository.get_n_infos('Osiiso'); i++) {
        const info = repository.get_info('Osiiso', i);
        const type = info.get_type();
        let get, n;
        if (type === InfoType.OBJECT) {
            get = GIRepository.object_info_get_method;
            n = GIRepository.object_info_get_n_methods(info);
        } else if (type === InfoType.STRUCT || type === InfoType.BOXED) {
            get = GIRepository.struct_info_get_method;
            n = GIRepository.struct_info_get_n_methods(info);
        } else {
            continue;
        }
        for (let j = 0; j < n; j++) {
            const method = get(info, j);
            const flags = GIRepository.function_info_get_flags(method);
            const types = [];
            for (let k = 0; k < GIRepository.callable_info_get_n_args(method); k++) {
                const arg = GIRepository.callable_info_get_arg(method, k);
                if (GIRepository.arg_info_get_direction(arg) !== GIRepository.Direction.OUT)
                    types.push({type: GIRepository.arg_info_get_type(arg), isCount: /^(n|max|workers|most)(_|$)/.test(arg.get_name())});
            }
            const name = `${info.get_name()}.${method.get_name()}`;
            if (!LEFT_OUT.has(name))
                found.push({name, owner: info.get_name(), method: method.get_name(), isMethod: Boolean(flags & 1), types});
        }
    }
    return found;
}

// ---- What it is called with

const things = {};
const MAX_THINGS = 40;

function keep(value) {
    const name = value?.constructor?.name?.replace(/^Osiiso_/, '');
    if (name && typeof value === 'object')
        ((things[name] ??= []).push(value) > MAX_THINGS) && things[name].splice(random(MAX_THINGS), 1);
    else if (typeof value === 'number')
        ((things.number ??= []).push(value) > MAX_THINGS) && things.number.shift();
}

const SUPERCLASSES = {Queue: [], Backend: ['InlineBackend', 'MainLoopBackend', 'ThreadPoolBackend', 'SubprocessBackend']};

function thing(name) {
    const all = [name, ...SUPERCLASSES[name] ?? []].flatMap(key => things[key] ?? []);
    for (const key of Object.keys(things)) {
        if (key.endsWith(name) && key !== name)
            all.push(...things[key]);
    }
    return all.length > 0 ? pick(all) : null;
}

const functions = [
    attempt => attempt?.return_int?.(1),
    () => {
        throw new Error('thrown');
    },
    () => {
        throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
    },
    async () => {
        await null;
        throw new Error('rejected');
    },
    attempt => {
        keep(attempt?.defer?.() ?? null);
    },
    (...args) => args.forEach(keep),
    () => System.gc(),
    (_token, id) => id,
    () => true,
    () => 'a text',
    () => call(),
    attempt => {
        attempt?.set_progress?.(NaN, 'x');
        attempt?.return_error?.(null);
    },
];

const ODD = [
    undefined, null, 0, -1, 1, 3, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, -(2 ** 63), NaN, Infinity, -Infinity, 0.5, 10n, 2n ** 70n, true, false,
    '', 'x', 'main-loop', 'a\0b', '\ud800', 'x'.repeat(70000), Symbol.iterator, [], [1, 2, 3], [null], {}, {a: 1}, new Date(),
    new Map(), new Uint8Array(3), /x/, new Error('x'), Promise.resolve(), ...functions, Osiiso, Osiiso.Queue, class {},
];

function number(min, max) {
    return pick([min, max, 0, 1, 2, random(100), things.number?.length ? pick(things.number) : 1]);
}

function text() {
    return pick(['', 'name', 'thread-pool', 'main-loop', 'subprocess', 'module:symbol', ':no_such_function', 'x'.repeat(1000), 'ä€😀']);
}

function ofInterface(info) {
    const name = info.get_name();
    const type = info.get_type();
    if (type === InfoType.CALLBACK)
        return pick(functions);
    if (type === InfoType.ENUM || type === InfoType.FLAGS)
        return pick([0, 1, 2, 3, 4, 99, -1]);
    if (info.get_namespace() === 'Osiiso')
        return thing(name);
    switch (name) {
    case 'Variant':
        return pick([new GLib.Variant('i', 5), new GLib.Variant('(sv)', ['x', new GLib.Variant('d', NaN)]), new GLib.Variant('()', [])]);
    case 'Bytes':
        return new GLib.Bytes(new Uint8Array(random(2000)));
    case 'Cancellable': {
        const cancellable = new Gio.Cancellable();
        if (chance(50))
            cancellable.cancel();
        else
            setTimeout(() => cancellable.cancel(), random(20));
        return cancellable;
    }
    case 'Value':
        return pick(['text', 5, 0.5, true, null, new Gio.Cancellable(), {a: 1}, [1], undefined, () => 1]);
    case 'AsyncResult':
        return thing('Task') ?? thing('AsyncResult');
    case 'Object':
        return pick([new Gio.SimpleAction({name: 'x'}), thing('Queue'), thing('Handle')]);
    case 'Error':
        return new GLib.Error(Gio.IOErrorEnum, random(30), 'an error');
    default:
        return null;
    }
}

function fitting({type, isCount}) {
    // More tasks, threads or processes than that would be more than there is memory for.
    if (isCount)
        return random(20);
    switch (GIRepository.type_info_get_tag(type)) {
    case TypeTag.BOOLEAN:
        return chance(50);
    case TypeTag.INT8: case TypeTag.INT16: case TypeTag.INT32: case TypeTag.INT64:
        return number(-(2 ** 31), 2 ** 31 - 1);
    case TypeTag.UINT8: case TypeTag.UINT16: case TypeTag.UINT32: case TypeTag.UINT64:
        return number(0, 2 ** 32 - 1);
    case TypeTag.FLOAT: case TypeTag.DOUBLE:
        return pick([0, 0.01, 1, -1, NaN, Infinity, 1e300]);
    case TypeTag.GTYPE:
        return pick([Osiiso.Queue.$gtype, GObject.TYPE_INT, Osiiso.Backend.$gtype, GObject.TYPE_INVALID]);
    case TypeTag.UTF8: case TypeTag.FILENAME:
        return text();
    case TypeTag.ARRAY:
        return pick([[], ['a', 'b'], [1, 2, 3], new Uint8Array(5), ['true'], [0]]);
    case TypeTag.INTERFACE:
        return ofInterface(GIRepository.type_info_get_interface(type));
    case TypeTag.ERROR:
        return new GLib.Error(Gio.IOErrorEnum, random(30), 'an error');
    default:
        return null;
    }
}

// ---- Calls

const methods = listMethods();
let depth = 0;
let n = 0;
const trace = GLib.getenv('OSIISO_FUZZ_TRACE') !== null;

// They wait until something happens; whatever would happen is arranged for beforehand.
const WAITS = /^(Queue\.(run|run_full|join|shutdown|submit|push|map|submit_.*|push_.*)|Handle\.wait|Group\.(wait|next_completed|submit.*|map))$/;

function call() {
    if (depth >= 3)
        return;
    const {name, owner, method, isMethod, types} = pick(methods);
    const self = isMethod ? thing(owner) : null;
    const args = types.map(type => chance(15) && !type.isCount ? pick(ODD) : fitting(type));
    if (isMethod && self === null)
        return;
    if (WAITS.test(name))
        setTimeout(release, 5);
    if (trace)
        print(`${name} ${args.map(arg => typeof arg === 'string' ? arg.slice(0, 20) : String(arg?.constructor?.name ?? typeof arg)).join(', ')}`);
    depth++;
    n++;
    try {
        const target = isMethod ? self : Osiiso[owner];
        const result = target[method](...args);
        for (const value of Array.isArray(result) ? result.slice(0, 10) : [result])
            keep(value);
        result?.then?.(keep, () => {});
    } catch (error) {
        // As it should be.
    } finally {
        depth--;
    }
}

// Ends what may be waited for.
function release() {
    for (const queue of things.Queue ?? []) {
        queue.resume();
        if (chance(30))
            queue.cancel();
    }
    for (const attempt of things.Attempt ?? []) {
        if (attempt.is_open())
            attempt.return_none();
    }
    for (const handle of things.Handle ?? [])
        handle.cancel();
}

const InlineBackend = GObject.registerClass(class InlineBackend extends Osiiso.Backend {
    vfunc_get_capabilities() {
        return Osiiso.BackendCapabilities.FUNCTIONS | Osiiso.BackendCapabilities.CLOSURES;
    }

    vfunc_open() {
        if (chance(10))
            throw new Error('does not open');
        return true;
    }

    vfunc_wake() {
        let attempt;
        while ((attempt = this.take()) !== null) {
            keep(attempt);
            if (chance(90))
                attempt.run();
        }
    }

    vfunc_interrupt() {
        if (chance(10))
            throw new Error('not interrupted');
    }

    vfunc_close() {
        this.closed();
    }
});

function properties() {
    const object = pick([thing('Queue'), thing('TaskOptions'), thing('Command'), thing('Backend'), thing('Handle'), thing('Group')]);
    if (object === null)
        return;
    try {
        const {name} = pick(GObject.Object.list_properties.call(object.constructor.$gtype));
        if (chance(50))
            object[name] = chance(50) ? pick(ODD) : number(-1, 5);
        keep(object[name]);
    } catch (error) {
        // As it should be.
    }
}

function make() {
    try {
        keep(pick([
            () => Osiiso.Queue.new(pick(['main-loop', 'thread-pool', 'subprocess', 'main-loop'])),
            () => new Osiiso.Queue({backendName: pick(['main-loop', 'thread-pool']), workers: random(3), size: pick([0, 0, 1, 5])}),
            () => Osiiso.Queue.new_with_backend(new InlineBackend()),
            () => new Osiiso.Queue(),
            () => new Osiiso.TaskOptions(pick([{}, {retries: 2, retryDelay: 0.001}, {timeout: 0.01}, {delay: 0.01}, {priority: 3}])),
            () => Osiiso.Command.new(['true']),
            () => Osiiso.Call.new(pick([':no', 'module:symbol', 'x']), null),
            () => new Osiiso.WorkerChannel(),
            () => new Osiiso.Attempt(),
            () => new Osiiso.CommandResult(),
            () => new Osiiso.RunSummary(),
            () => new Osiiso.TaskResult(),
            () => new Osiiso.Handle(),
            () => new Osiiso.Group(),
            () => Osiiso.Backend.create(pick(['main-loop', 'thread-pool', 'subprocess', 'x'])),
        ])());
    } catch (error) {
        // As it should be.
    }
}

const callbacksOfSignals = [() => {}, () => System.gc(), () => call(), () => {
    throw new Error('in a signal');
}, (...args) => args.forEach(keep)];

function signal() {
    const queue = thing('Queue');
    const handle = thing('Handle');
    try {
        queue?.connect(pick(['on-start', 'on-complete', 'on-retry', 'notify']), pick(callbacksOfSignals));
        handle?.connect('notify', pick(callbacksOfSignals));
        if (chance(20))
            queue?.emit(pick(['on-start', 'on-complete']), handle);
    } catch (error) {
        // As it should be.
    }
}

// What a program never does, and a fuzzer should.
function upset() {
    const object = pick([thing('Queue'), thing('Handle'), thing('Group'), thing('Backend'), thing('TaskOptions'), thing('WorkerChannel')]);
    if (object !== null && chance(50))
        object.run_dispose();
    for (const key of Object.keys(things)) {
        if (chance(20))
            things[key] = things[key].filter(() => chance(70));
    }
}

function step() {
    const what = random(100);
    if (what < 8)
        make();
    else if (what < 70)
        call();
    else if (what < 80)
        properties();
    else if (what < 85)
        signal();
    else if (what < 87)
        upset();
    else if (what < 88)
        System.gc();
    else
        GLib.MainContext.default().iteration(false);
}

// What goes on in other threads is brought to its end: GJS itself does not survive an exit
// with callbacks on their way.
function end(loop) {
    for (const queue of things.Queue ?? [])
        queue.cancel();
    release();
    setTimeout(() => loop.quit(), 50);
}

const loop = new GLib.MainLoop(null, false);
const releases = setInterval(release, 50);
GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
    for (let i = 0; i < 20; i++)
        step();
    if (n < CALLS)
        return GLib.SOURCE_CONTINUE;
    clearInterval(releases);
    end(loop);
    return GLib.SOURCE_REMOVE;
});
loop.run();
print(`${n} calls of ${methods.length} functions`);
