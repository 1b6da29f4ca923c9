// SPDX-License-Identifier: LGPL-2.1-or-later
// What osiiso.d.ts declares is there, and what is there is declared.
import GLib from 'gi://GLib';

import * as module from '../../introspection/js/osiiso.js';
import {assert, assertEqual, main, test} from '../bindings/tap.js';

const PATH = GLib.filename_from_uri(GLib.Uri.resolve_relative(import.meta.url,
    '../../introspection/js/osiiso.d.ts', GLib.UriFlags.NONE))[0];
const text = new TextDecoder().decode(GLib.file_get_contents(PATH)[1]);

// The members of the classes, and of the interface that stands for one.
function* declaredClasses() {
    for (const [, name, base, body] of text.matchAll(/^export (?:class|interface) (\w+)(?:<[^{]*?>)?(?: extends (\w+)(?:<\w+>)?)? \{(.*?)\n?\}$/gms)) {
        if (!(name in module))
            continue;
        const members = new Set();
        for (const [, member] of body.matchAll(/^ {4}(?:readonly )?(\w+|\[Symbol\.\w+\])\??[(<:]/gm)) {
            if (member !== 'constructor' && !['private', 'protected'].includes(member))
                members.add(member);
        }
        yield {name, base, members};
    }
}

// Something of each class, with what its constructor sets.
async function makeInstances() {
    const queue = new module.Queue();
    const seen = [];
    const handle = queue.submit(ctx => seen.push(ctx));
    const group = queue.map(x => x, [1]);
    const result = await handle.result();
    const summary = await group.wait();
    const bound = queue.task(() => 1);
    const pool = new module.ProcessPool({module: '/nothing.js', workers: 1});
    const call = pool.submit('nothing');
    await pool.close({force: true});
    return {
        Queue: queue, Handle: handle, Group: group, TaskResult: result, RunSummary: summary, BoundTask: bound,
        TaskContext: seen[0], TaskOptions: new module.TaskOptions({priority: 1, retries: 1, name: 'name'}),
        ProcessPool: pool, CallHandle: call, OsiisoError: new module.OsiisoError(),
        QueueError: new module.QueueError('', 1), ExecutionError: new module.ExecutionError('', []),
        CrashedError: new module.CrashedError(new GLib.Error(GLib.quark_from_string('d'), 1, 'message'), {}),
        TaskError: new module.TaskError(new GLib.Error(GLib.quark_from_string('d'), 1, 'message')),
    };
}

const INHERITED = {BoundTask: ['queue', 'options'], TaskError: ['cause']};

test('exports', () => {
    const declared = [...text.matchAll(/^export (?:class|const|function) (\w+)/gm)].map(([, name]) => name);
    assertEqual(declared.sort(), Object.keys(module).sort());
});

test('members are there', async () => {
    const instances = await makeInstances();
    let n = 0;
    for (const {name, members} of declaredClasses()) {
        for (const member of members) {
            const key = member.startsWith('[') ? Symbol[member.slice(8, -1)] : member;
            if (name in instances)
                assert(key in instances[name], `${name} has no '${member}'`);
            n++;
        }
    }
    assert(n > 150, `only ${n} members were found`);
});

test('members are declared', async () => {
    const instances = await makeInstances();
    for (const {name, base, members} of declaredClasses()) {
        if (!(name in instances))
            continue;
        const instance = instances[name];
        const found = [...Object.keys(instance), ...Object.getOwnPropertyNames(module[name].prototype)];
        for (const member of found) {
            if (member.startsWith('_') || ['constructor', 'name', 'toString', 'fn'].includes(member) ||
                name === 'TaskOptions' || (base && base in instances && member in instances[base]) || INHERITED[name]?.includes(member))
                continue;
            assert(members.has(member), `'${member}' of ${name} is not declared`);
        }
    }
});

await main(ARGV);
