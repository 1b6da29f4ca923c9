// SPDX-License-Identifier: LGPL-2.1-or-later
// Uses of the raw namespace, with the types that ts-for-gir makes of it.
import Gio from 'gi://Gio?version=2.0';
import Osiiso from 'gi://Osiiso?version=1';

import type {Cancellable} from './module/osiiso.js';

const queue = Osiiso.Queue.new('main-loop');
const options = new Osiiso.TaskOptions({retries: 2, timeout: 5});
const handle: Osiiso.Handle = queue.submit(attempt => attempt.return_int(attempt.get_index()), options);
queue.connect('on-retry', (_queue, retried, error) => print(retried.name, error.message));
queue.set_runner((token, taskId, attempt) => {
    queue.token_done(taskId, attempt);
    print(`${token}`);
    return taskId;
});
queue.set_completions_func(Osiiso.CompletionFlags.ACKNOWLEDGED, (tokens, statuses) => {
    queue.acknowledge_told();
    print(tokens.length, statuses.length);
});
const told: boolean = queue.tell_run(1, 0, Osiiso.FailPolicy.CONTINUE, null);
const summary: Osiiso.RunSummary | null = queue.finish_told(1);
// @ts-expect-error: a number
queue.submit_token('one', null);
// @ts-expect-error: no such property
new Osiiso.TaskOptions({retires: 2});
// What ts-for-gir makes of Gio is what the module takes.
const cancellable: Cancellable = new Gio.Cancellable();
print(handle.name, told, summary?.succeeded, cancellable.is_cancelled());
