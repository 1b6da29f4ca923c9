#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the built documentation, in TAP: its pages, links and search index.

Usage: test-site.py SOURCE_ROOT SITE PAGE...

PAGE is the name of a page that docs/meson.build lists.
"""
import html.parser
import json
import pathlib
import re
import sys
import urllib.parse

LIBRARIES = ('https://docs.gtk.org/glib/', 'https://docs.gtk.org/gobject/', 'https://docs.gtk.org/gio/')
# What gi-docgen writes into a page when it does not know what to write.
UNKNOWN = ('Unknown document', '[class@', '[method@', '[func@', '[property@', '[signal@', '[ctor@', '[enum@',
           '[flags@', '[vfunc@', '[callback@', '[struct@', '[error@', '[type@')


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.anchors = set()
        self.links = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors.update(filter(None, (attrs.get('id'), attrs.get('name'))))
        for name in ('href', 'src'):
            if attrs.get(name):
                self.links.append(attrs[name])


def check_listed(root, site, names):
    found = {path.name for path in (root / 'docs').glob('*.md')}
    assert found == set(names), f'docs/meson.build and docs/ differ in {sorted(found ^ set(names))}'
    for name in names:
        path = site / name.replace('.md', '.html')
        title = re.search(r'<title>(.*?)</title>', path.read_text(encoding='utf-8'), re.DOTALL)[1]
        assert 'Unknown' not in title, f'{name} does not begin with a line “Title: …”'


def check_links(pages):
    broken = []
    count = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme in ('http', 'https', 'data', 'mailto', 'javascript'):
                continue
            count += 1
            # A page of the tree is a page of the site.
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            fragment = urllib.parse.unquote(parts.fragment)
            if not target.exists():
                broken.append(f'{path.name}: {link}')
            elif fragment and target in pages and fragment not in pages[target].anchors:
                broken.append(f'{path.name}: {link} has no such place')
    assert count > 1000, f'only {count} links were found'
    assert not broken, f'{len(broken)} broken links: ' + '; '.join(sorted(set(broken))[:20])


def check_text(site):
    """Nothing is left of the marks that should have become links."""
    left = []
    for path in site.glob('*.html'):
        text = re.sub(r'<(pre|code)\b.*?</\1>', '', path.read_text(encoding='utf-8'), flags=re.DOTALL)
        left += [f'{path.name}: {word}' for word in UNKNOWN if word in text]
    assert not left, '; '.join(sorted(left)[:20])


def check_search(site):
    with open(site / 'index.json', encoding='utf-8') as file:
        index = json.load(file)
    symbols = {(symbol.get('type_name', ''), symbol['name']) for symbol in index['symbols']}
    for wanted in (('Queue', 'submit'), ('Handle', 'wait_async'), ('Group', 'next_completed'), ('Attempt', 'return_value')):
        assert wanted in symbols, f'the search does not know {".".join(wanted)}'
    for path in ('Queue', 'TaskOptions', 'RunSummary'):
        assert ('', path) in symbols or any(name == path for _, name in symbols), f'the search does not know {path}'
    assert (site / 'search.js').exists(), 'there is no search'


def main():
    root, site, *names = sys.argv[1:]
    root, site = pathlib.Path(root), pathlib.Path(site).resolve()
    pages = {path.resolve(): Page(path.read_text(encoding='utf-8')) for path in site.glob('*.html')}
    checks = [
        ('every page is listed and has a title', lambda: check_listed(root, site, names)),
        ('every link leads somewhere', lambda: check_links(pages)),
        ('every mark has become a link', lambda: check_text(site)),
        ('the search knows the classes and methods', lambda: check_search(site)),
        ('the books of GLib are linked to', lambda: [
            next(page for page in pages.values() if any(link.startswith(url) for link in page.links))
            for url in LIBRARIES]),
    ]
    print(f'1..{len(checks)}')
    failed = 0
    for number, (name, check) in enumerate(checks, 1):
        try:
            check()
            print(f'ok {number} - {name}')
        except (AssertionError, StopIteration, OSError) as error:
            failed = 1
            print(f'not ok {number} - {name}')
            print('# ' + str(error).replace('\n', '\n# '))
    return failed


if __name__ == '__main__':
    sys.exit(main())
