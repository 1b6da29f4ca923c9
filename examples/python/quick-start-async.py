# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import osiiso

async def fetch(name):
    await asyncio.sleep(0.01)
    return f'fetched {name}'

async def main():
    async with osiiso.AsyncQueue(workers=4) as queue:
        group = queue.group(fetch, ['users', 'posts'], retries=2, timeout=5)
        urgent = queue.submit(fetch, 'news', priority=0)
        print((await urgent).value)   # fetched news
        print(await group.values())   # ('fetched users', 'fetched posts')

osiiso.run(main())
