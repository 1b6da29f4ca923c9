# SPDX-License-Identifier: LGPL-2.1-or-later
import osiiso

with osiiso.ThreadQueue(workers=2) as queue:
    handles = queue.map(pow, [(2, 3), (3, 2), {'base': 2, 'exp': 5}])
    broken = queue.submit(int, 'x', name='broken')
    queue.join()
print([handle.value() for handle in handles])  # [8, 9, 32]
print(broken.status, '-', broken.exception())  # failed - invalid literal for int() with base 10: 'x'
print(osiiso.tmap(abs, [-1, -2]))              # (1, 2)
