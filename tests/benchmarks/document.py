# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts the figures of a run into docs/performance.md, and some of them into README.md."""
import pathlib
import re
from itertools import groupby

import report

BEGIN = '<!-- figures: made by ./bootstrap bench --document -->'
END = '<!-- end of figures -->'

# What the README shows: the row of docs/performance.md, what that is in words, and
# beside what. Chosen for what people ask, not for how it comes out.
README_ROWS = (
    ('T3', 'no-op / GThreadPool+struct, 2w', 'push and run a function, 2 threads', 'GThreadPool, with an allocated task'),
    ('T1', 'no-op / best peer, 2w', 'the same', 'the best of GThreadPool, libuv, oneTBB, Boost.Asio and Qt'),
    ('T6', '10 us tasks / best peer, 2w', 'the same with 10 µs of work in each', 'the best of these'),
    ('T7', 'handle kept / g_task_run_in_thread', 'a task with a handle that is kept', '`g_task_run_in_thread()`'),
    ('T10', 'urgent start, p50 / Qt priority', 'an urgent task behind 20 000, until it starts', 'QThreadPool'),
    ('M2', 'bytes per kept handle / GTask', 'memory of a task with its handle', 'GTask'),
    ('C1', 'no-op / g_idle_add_full', 'a function on the main loop', '`g_idle_add_full()`'),
    ('S2', 'call, one at a time / socketpair', 'a call in a worker process, there and back', 'its bytes over a socket'),
    ('L1', 'ThreadQueue.submit / ThreadPoolExecutor.submit', 'Python: `ThreadQueue.submit()`', '`ThreadPoolExecutor`'),
    ('L2', 'osiiso.js, Promise.all / Promise.resolve().then()', 'JavaScript: a task with its promise',
     'a promise alone'),
)
README_HEADER = ['', 'libosiiso', 'beside', '', 'ratio']


def markdown(cells):
    """Of lines of cells, with the header first."""
    lines = ['| ' + ' | '.join(cells[0]) + ' |', '|' + '---|' * len(cells[0])]
    lines += ['| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in cells[1:]]
    return '\n'.join(line.replace('  ', ' ') for line in lines)


def machine_text(info):
    text = (f"{info['date']}: {info['machine']}, {info['processors']} processors, {info['memory']} of memory, "
            f"Linux {info['kernel']}, GLib {info['glib']}, gcc {info['compiler']}; {info['rounds']} rounds in "
            f"{info['seconds'] / 60:.0f} minutes. ")
    text += f"Peers that were not there: {', '.join(info['missing']) or 'none'}."
    return text


def backend_texts(chosen, regime):
    for backend, families in groupby(chosen, lambda family: family.backend):
        texts = []
        for family in families:
            for table in family.tables:
                cells = report.table_cells(table, regime.rounds)
                if cells:
                    texts.append(f'{table.title}:\n\n{markdown(cells)}')
        if texts:
            yield f'### {backend}\n\n' + '\n\n'.join(texts)


def text_of(info, chosen, regimes, drawn):
    parts = [machine_text(info), *(f'![{title}]({name})' for title, name in drawn), '### Goals']
    parts.append(markdown(report.row_cells(regimes, lambda row: row.is_goal)))
    for title, wanted in (('Other bars', lambda row: row.bar is not None and not row.is_goal),
                          ('For information', lambda row: row.bar is None)):
        cells = report.row_cells(regimes, wanted)
        if cells:
            parts += [f'### {title}', markdown(cells)]
    parts += backend_texts(chosen, regimes[0])
    return '\n\n'.join(parts)


def between_marks(path, text, figures):
    """The text with other figures between the marks."""
    before, _begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{path}: the marks '{BEGIN}' and '{END}' are not there")
    return f'{before}{BEGIN}\n\n{figures}\n\n{END}{after}'


def page_rows(page):
    """The rows of the page's tables of ratios for all processors, by name and text."""
    rows = {}
    for line in page.partition(BEGIN)[2].splitlines():
        cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
        if len(cells) == 11 and cells[0] and cells[2] != '1 cpu':
            rows[cells[0], cells[1]] = cells
    return rows


def readme_figures(page):
    """A short table for the README, of what the page says."""
    rows = page_rows(page)
    lines = [README_HEADER]
    for name, text, what, peer in README_ROWS:
        if (name, text) in rows:
            _name, _text, _processors, ours, theirs, ratio, *_rest = rows[name, text]
            value, _space, unit = ours.partition(' ')
            lines.append([what, f'{value} {unit}'.strip(), peer, f'{theirs} {unit}'.strip(), ratio.partition(' ')[0]])
    return markdown(lines)


def update(path, info, chosen, regimes, drawn):
    """drawn are plots in the folder of the page. The README is that of the page's tree,
    if it is in one."""
    path = pathlib.Path(path)
    page = between_marks(path, path.read_text(encoding='utf-8'), text_of(info, chosen, regimes, drawn))
    path.write_text(page, encoding='utf-8')
    update_readme(path.resolve().parent.parent / 'README.md', page)


def update_readme(readme, page):
    if readme.exists():
        text = readme.read_text(encoding='utf-8')
        readme.write_text(between_marks(readme, text, readme_figures(page)), encoding='utf-8')
