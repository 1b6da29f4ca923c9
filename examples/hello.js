// SPDX-License-Identifier: LGPL-2.1-or-later
import Osiiso from 'gi://Osiiso?version=1';

const queue = Osiiso.Queue.new('main-loop');
const options = new Osiiso.TaskOptions({retries: 2, timeout: 5});
const group = queue.map(5, attempt => attempt.return_int(attempt.get_index() ** 2), options);
queue.run(null).check();
for (let i = 0; i < 5; i++)
    print(group.get_handle(i).get_value());
