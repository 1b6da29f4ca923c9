# SPDX-License-Identifier: LGPL-2.1-or-later
import gi
gi.require_version('Osiiso', '1')
from gi.repository import Osiiso

queue = Osiiso.Queue.new('thread-pool')
options = Osiiso.TaskOptions(retries=2, timeout=5)
group = queue.map(5, lambda attempt, *_: attempt.return_int(attempt.get_index() ** 2), options=options)
queue.run().check()
for i in range(5):
    print(group.get_handle(i).get_value())
