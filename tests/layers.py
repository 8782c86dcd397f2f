#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the tree to its own rules; see doc/design and the table below.

Each rule is one check: it prints what breaks it, then "ok" or "FAIL" and its
name. Exit status 1 if one failed.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent

LIB = {'lib/base', 'lib/loop', 'lib/conf', 'lib/proto', 'lib/net', 'lib/store',
       'lib/client'}

# Folder -> folders whose headers it may include. Arrows point downward.
ALLOWED = {
    'lib/base': set(),
    'lib/loop': {'lib/base'},
    'lib/conf': {'lib/base'},
    'lib/proto': {'lib/base'},
    'lib/net': {'lib/base', 'lib/loop', 'lib/proto'},
    'lib/store': {'lib/base', 'lib/loop', 'lib/proto'},
    'lib/client': {'lib/base', 'lib/conf', 'lib/loop', 'lib/net', 'lib/proto'},
    'sched/model': {'lib/base', 'lib/proto'},
    'sched/econ': {'lib/base', 'lib/proto'},
    # of lib/conf: the structs of partitions and nodes
    'sched/policy': {'lib/base', 'lib/conf', 'lib/proto', 'sched/model',
                     'sched/econ'},
    'sched/ctld': LIB | {'sched/model', 'sched/econ', 'sched/policy'},
    'sched/noded': LIB | {'migrate', 'pmix-plugin/server', 'pmix-plugin/mca'},
    'sched/sim': {'lib/base', 'lib/proto', 'sched/model', 'sched/econ',
                  'sched/policy'},
    'migrate': {'lib/base', 'lib/net', 'lib/loop', 'lib/proto'},
    'pmix-plugin/server': {'lib/base', 'lib/proto'},
    'pmix-plugin/mca': {'lib/base'},
    'cli': (LIB - {'lib/store'}) | {'pmix-plugin/mca'},
}

# Pure folders: no I/O and no clock of their own.
PURE = ('sched/model', 'sched/econ', 'sched/policy')
IMPURE = {'unistd.h', 'fcntl.h', 'sys/socket.h', 'sys/stat.h', 'time.h',
          'sys/time.h', 'pthread.h', 'lib/base/log.h'}

# The script that every benchmarked system runs, byte for byte.
NO_LICENCE = {'tests/bench/true.sh'}

FILE_LINES = 900
FUNCTION_LINES = 100


def tracked(*suffixes):
    out = subprocess.run(['git', 'ls-files', '-z'], cwd=TOP, text=True,
                         capture_output=True, check=False)
    if out.returncode == 0 and out.stdout:
        names = out.stdout.split('\0')
    else:           # an unpacked release
        names = [str(p.relative_to(TOP)) for p in TOP.rglob('*')
                 if p.is_file() and not p.parts[len(TOP.parts)].startswith('build')]
    return sorted(n for n in names
                  if n.endswith(suffixes) and (TOP / n).is_file())


def read(name):
    return (TOP / name).read_text(errors='replace')


def folder_of(name):
    parts = name.split('/')
    if parts[0] in ('cli', 'migrate', 'tests'):
        return parts[0]
    return '/'.join(parts[:2])


def includes(name):
    return re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', read(name), re.M)


def own_includes(name):
    """Those that lie in our tree, as paths from its top."""
    for inc in includes(name):
        if inc.startswith(('lib/', 'sched/', 'migrate/', 'pmix-plugin/',
                           'cli/', 'tests/')):
            yield inc
        elif (TOP / name).parent.joinpath(inc).is_file():
            yield str(Path(name).parent / inc)


def arrows_point_downward(sources):
    for name in sources:
        here = folder_of(name)
        if here == 'tests':
            continue
        for inc in own_includes(name):
            there = folder_of(inc)
            if there != here and there not in ALLOWED.get(here, set()):
                yield f'{name}: {here} must not include {inc}'


def includes_are_by_full_path(sources):
    for name in sources:
        for inc in re.findall(r'^\s*#\s*include\s*"([^"]+)"', read(name), re.M):
            if '/' not in inc and inc != 'config.h' and \
                    (TOP / name).parent.joinpath(inc).is_file():
                yield f'{name}: "{inc}" without its folder'


def no_include_goes_in_circles(sources):
    graph = {n: [i for i in own_includes(n) if (TOP / i).is_file()]
             for n in sources}
    state = {}

    def visit(name, path):
        if state.get(name) == 'done':
            return
        if name in path:
            cycle = path[path.index(name):] + [name]
            yield ' -> '.join(cycle)
            return
        for inc in graph.get(name, ()):
            yield from visit(inc, path + [name])
        state[name] = 'done'

    for name in sources:
        yield from visit(name, [])


def folders_do_not_depend_on_each_other_in_circles(sources):
    graph = {}
    for name in sources:
        here = folder_of(name)
        if here != 'tests':
            graph.setdefault(here, set()).update(
                f for f in map(folder_of, own_includes(name)) if f != here)
    for start in graph:
        seen, todo = set(), list(graph[start])
        while todo:
            at = todo.pop()
            if at == start:
                yield f'{start} includes itself by way of others'
                break
            if at not in seen:
                seen.add(at)
                todo += graph.get(at, ())


def pure_folders_do_no_io(sources):
    for name in sources:
        if folder_of(name) in PURE:
            for inc in sorted(IMPURE.intersection(includes(name))):
                yield f'{name}: includes {inc}'


def files_name_their_licence(files):
    for name in files:
        if name in NO_LICENCE:
            continue
        lines = read(name).split('\n', 2)
        first = lines[1] if lines[0].startswith('#!') and len(lines) > 1 \
            else lines[0]
        if 'SPDX-License-Identifier: ' not in first:
            yield f'{name}: no SPDX line'
        elif name.endswith(('.c', '.h')) and not name.startswith('tests/'):
            lesser = name.startswith(('lib/', 'pmix-plugin/mca/'))
            want = 'LGPL-3.0-or-later' if lesser else ' GPL-3.0-or-later'
            if want not in first:
                yield f'{name}: licence is not {want.strip()}'


def files_are_short(files):
    for name in files:
        n = read(name).count('\n')
        if n > FILE_LINES:
            yield f'{name}: {n} lines, {FILE_LINES} at most'


def functions_are_short(sources):
    for name in sources:
        start = None
        for n, line in enumerate(read(name).split('\n'), 1):
            if line == '{':
                start = n
            elif line.startswith('}') and start:
                if n - start - 1 > FUNCTION_LINES:
                    yield f'{name}:{start}: function of {n - start - 1} lines'
                start = None


def tests_do_not_just_sleep(files):
    """A sleep is for a wait_for, which has a condition and a deadline."""
    for name in files:
        if name.startswith('tests/system/') and name.endswith('.py') and \
                not name.endswith('/harness.py'):
            for n, line in enumerate(read(name).split('\n'), 1):
                if 'time.sleep(' in line:
                    yield f'{name}:{n}: sleeps'


def main():
    sources = tracked('.c', '.h')
    files = tracked('.c', '.h', '.py', '.sh', '.inc', '.am', '.ac', '.proto')
    checks = [
        (arrows_point_downward, sources),
        (includes_are_by_full_path, sources),
        (no_include_goes_in_circles, sources),
        (folders_do_not_depend_on_each_other_in_circles, sources),
        (pure_folders_do_no_io, sources),
        (files_name_their_licence, files),
        (files_are_short, files),
        (functions_are_short, sources),
        (tests_do_not_just_sleep, files),
    ]
    failed = 0
    for check, what in checks:
        wrong = sorted(set(check(what)))
        for line in wrong:
            print('   ', line)
        print('FAIL' if wrong else 'ok', check.__name__)
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
