#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Indexes the files below a folder with all three queues, and prints the index as JSON.

Usage: folder-index.py FOLDER

Coroutines walk the folders, threads take checksums, which need no interpreter, and
processes count words, which does.
"""
import asyncio
import collections
import hashlib
import json
import os
import re
import sys

import osiiso

TEXT = {'.c', '.h', '.md', '.py', '.txt', '.js', '.vala', '.build'}


def checksum(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest(), os.fstat(file.fileno()).st_size


def count_words(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return collections.Counter(re.findall(r'[^\W\d_]{3,}', file.read().lower()))


async def walk(folder, found, walking, hashing, counting):
    for entry in await asyncio.to_thread(lambda: sorted(os.scandir(folder), key=lambda entry: entry.name)):
        if entry.is_dir(follow_symlinks=False):
            walking.submit(walk, entry.path, found, walking, hashing, counting, opts=FOLDER)
        elif entry.is_file(follow_symlinks=False):
            words = None
            if os.path.splitext(entry.name)[1] in TEXT:
                words = counting.submit(count_words, entry.path, timeout=60, retries=1)
            found[entry.path] = hashing.submit(checksum, entry.path, retries=2, retry_delay=.1), words


FOLDER = osiiso.TaskOptions(name='walk', retries=1)


async def index(top):
    found = {}
    with osiiso.ThreadQueue(workers=4) as hashing, osiiso.ProcessQueue(workers=2) as counting:
        async with osiiso.AsyncQueue(workers=8) as walking:
            walking.submit(walk, top, found, walking, hashing, counting, opts=FOLDER)
            await walking.run()
        # They have been at it all the time; leaving waits for the rest.
    by_digest = collections.defaultdict(list)
    words = collections.Counter()
    for path, (handle, count) in sorted(found.items()):
        if handle.status == 'succeeded':
            by_digest[handle.value()[0]].append(os.path.relpath(path, top))
        if count is not None and count.status == 'succeeded':
            words += count.value()
    return {
        'files': len(found),
        'bytes': sum(handle.value()[1] for handle, _ in found.values() if handle.status == 'succeeded'),
        'checksums': {path: digest for digest, paths in by_digest.items() for path in paths},
        'duplicates': [paths for paths in by_digest.values() if len(paths) > 1],
        'words': dict(sorted(words.items(), key=lambda item: (-item[1], item[0]))[:20]),
        'errors': [f'{result.name}: {result.message}' for queue in (walking, hashing, counting)
                   for result in queue.results if result.status == 'failed'],
    }


if __name__ == '__main__':
    json.dump(osiiso.run(index(sys.argv[1])), sys.stdout, indent=1)
    print()
