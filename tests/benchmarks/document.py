# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts the figures of a run into docs/performance.md."""
from itertools import groupby

import report

BEGIN = '<!-- figures: made by ./bootstrap bench --document -->'
END = '<!-- end of figures -->'


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


def update(path, info, chosen, regimes, drawn):
    """drawn are plots in the folder of the page."""
    with open(path, encoding='utf-8') as file:
        page = file.read()
    before, _begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{path}: the marks '{BEGIN}' and '{END}' are not there")
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'{before}{BEGIN}\n\n{text_of(info, chosen, regimes, drawn)}\n\n{END}{after}')
