#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random jobs by several clients while daemons and nodes fail; then the books
are balanced: what was promised is there once, with its right end; nothing ran
twice; nothing is left.

test_soak.py runs it; by hand, as root:

    OM_PREFIX=/usr tests/system/soak.py --seconds=180 --seed=7
"""
import argparse
import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from harness import (OVER, Cluster, TimedOut, alive, descendants, make_user,
                     processes, user_ids, wait_for)

# A node that is lost is told so after node_timeout (5 s) and some.
LOST_S = 12.0
RESTART_MAX_S = 2.0
UNKNOWN = 'exit status unknown'
LINGER = 'sleep 307.25'		# what jobs leave behind

HEAD = '''#!/bin/sh
echo $OM_JOB_NAME $OM_JOB_ID $OM_RESTART_COUNT $OM_NODENAME >>ran
'''
# kind: (weight, options, what follows the head). @N: exit code, @S: seconds.
KINDS = {
    'exit': (6, [], 'exit @N'),
    'sleep': (6, [], 'sleep @S\nexit @N'),
    'fork': (4, [], f"(setsid sh -c '{LINGER} &' &) </dev/null\n"
                    f'{LINGER} &\nsleep @S\nexit @N'),
    'signal': (2, [], 'sleep @S\nkill -9 $$'),
    'limit': (2, ['--time=2s'], LINGER),
    'stubborn': (1, ['--time=1s'], f"trap '' TERM\n{LINGER}\n{LINGER}"),
    'cancel': (4, [], f'{LINGER} &\nwait'),
    'array': (3, ['--array=0-@A'], 'sleep 0.@N\nexit $((OM_ARRAY_INDEX % 3))'),
    'again': (3, ['--requeue'], 'sleep @S\nexit @N'),
    'never': (3, ['--no-requeue'], 'sleep @S\nexit @N'),
    'requeued': (2, [], 'sleep @S\nexit @N'),
    'after': (3, ['--dependency=@D'], 'exit @N'),
    'steps': (3, ['--nodes=2', '--ntasks-per-node=1'], '''
omrun -Q sh -c 'echo $OM_JOB_ID.$OM_RESTART_COUNT.$OM_PROCID >>ran.steps
sleep @S; exit @N'
'''),
    'command': (2, [], None),
    'alloc': (1, [], None),
}


class Books:
    """What was asked for and what was done to it; shared by threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.jobs = {}			# name -> what a client knows
        self.faults = []		# (when, kind, node)
        self.down = defaultdict(list)	# node -> [[from, until]]
        self.murders = []		# (when, node, job or 0): step daemons
        self.restarts_s = []
        self.notes = []

    def fault(self, kind, node=None):
        with self.lock:
            self.faults.append((time.time(), kind, node))

    def was_down(self, nodes, since, until):
        return any(a - 2 <= until and (b or until) + LOST_S >= since
                   for n in nodes for a, b in self.down[n])

    def was_murdered(self, nodes, since, until):
        return any(n in nodes and since - 1 <= t <= until + 1
                   for t, n, _ in self.murders)

    def may_be_unknown(self, job, nodes, since, until):
        """Its step daemon was killed, and who else could have known: the
        zygote, or the daemon itself when it had not told of its tasks yet."""
        return any(n in nodes and since - 1 <= t <= until + 1 and (
            not of or of == job and (t - since < 1 or self.was_hit(
                ('zygote', 'omnoded', 'pause'), [n], since, until)))
                   for t, n, of in self.murders)

    def was_hit(self, kinds, nodes, since, until):
        return any(k in kinds and (n is None or n in nodes) and
                   since - 3 <= t <= until + 3 for t, k, n in self.faults)


class Client(threading.Thread):
    """One user's script that submits this and that."""

    def __init__(self, soak, number):
        super().__init__(daemon=True)
        self.soak = soak
        self.number = number
        self.rng = random.Random(f'{soak.seed} client {number}')
        self.count = 0
        self.error = None
        self.last = None

    def run(self):
        try:
            while time.monotonic() < self.soak.end:
                self.one()
                self.soak.stopped.wait(self.rng.uniform(0.0, 0.5) /
                                       self.soak.pace)
        except Exception as e:		# told by the main thread
            self.error = e

    def one(self):
        kinds = list(KINDS)
        kind = self.rng.choices(kinds, [KINDS[k][0] for k in kinds])[0]
        if kind == 'after' and self.last is None:
            kind = 'exit'
        self.count += 1
        job = {'name': f's{self.number}-{self.count}', 'kind': kind,
               'code': self.rng.choice([0, 0, 0, 1, 3, 7]), 'id': None,
               'seconds': f'{self.rng.uniform(0.1, 2.5):.2f}', 'tasks': 0,
               'cancelled': False, 'depends': None}
        with self.soak.books.lock:
            self.soak.books.jobs[job['name']] = job
        if kind in ('command', 'alloc'):
            self.command(job)
        else:
            self.submit(job)

    def fill(self, text, job):
        for key, value in (('@N', job['code']), ('@S', job['seconds']),
                           ('@A', job['tasks'] - 1), ('@D', job['depends'])):
            text = text.replace(key, str(value))
        return text

    def submit(self, job):
        _, options, body = KINDS[job['kind']]
        if job['kind'] == 'array':
            job['tasks'] = self.rng.randint(2, 12)
        elif job['kind'] == 'after':
            job['depends'] = f'afterany:{self.last}'
        script = self.soak.folder / f'{job["name"]}.sh'
        script.write_text(HEAD + self.fill(body, job) + '\n')
        job['asked'] = time.time()
        result = self.soak.cluster.run(
            'omsub', '--parsable', '-o', f'{job["name"]}.%j.out',
            '--open-mode=append', f'--job-name={job["name"]}',
            *[self.fill(o, job) for o in options], script,
            cwd=self.soak.folder, timeout=120)
        if result.code:
            job['refused'] = str(result)
            return
        job['id'] = self.last = int(result.out)
        job['told'] = time.time()
        if job['kind'] == 'cancel':
            self.soak.stopped.wait(self.rng.choice([0, 0.3, 1, 2]))
            self.cancel(job)
        elif job['kind'] == 'requeued':
            self.soak.stopped.wait(self.rng.uniform(0, 1.5))
            self.soak.cluster.run('omrequeue', str(job['id']), timeout=120)

    def cancel(self, job):
        done = self.soak.cluster.run('omcancel', str(job['id']), timeout=120)
        job['cancelled'] = done.code == 0
        job['cancel'] = str(done)

    def command(self, job):
        job['asked'] = time.time()
        run = ['omrun', '-Q']
        if job['kind'] == 'alloc':
            run = ['omalloc', '-n', '2', f'--job-name={job["name"]}', *run]
        else:
            run += ['-n', '2', f'--job-name={job["name"]}']
        done = self.soak.cluster.run(
            *run, 'sh', '-c',
            'echo $OM_JOB_NAME.$OM_JOB_ID.$OM_PROCID >>ran.commands; '
            f'sleep {job["seconds"]}; echo said; exit {job["code"]}',
            cwd=self.soak.folder, timeout=180)
        job['exit'] = done.code
        job['said'] = done.out
        job['text'] = done.err


class Soak:
    def __init__(self, cluster, folder, seed, seconds, clients=3, pace=1):
        self.pace = pace	# of clients and faults
        self.cluster = cluster
        self.folder = Path(folder)
        self.seed = seed
        self.seconds = seconds
        self.books = Books()
        self.rng = random.Random(f'{seed} faults')
        self.nodes = [f'n{i + 1}' for i in range(cluster.nodes)]
        self.stopped = threading.Event()
        self.end = 0
        self.repairs = []	# (when, verb, node)
        self.clients = [Client(self, i) for i in range(clients)]

    # ------------------------------------------------------------- the time

    def run(self):
        self.made = {n: self.files_on(n) for n in self.nodes}
        before = self.measure()
        self.end = time.monotonic() + self.seconds
        third = time.monotonic() + self.seconds / 3
        early = None
        for c in self.clients:
            c.start()
        while time.monotonic() < self.end:
            self.stopped.wait(self.rng.uniform(0.2, 1.4) / self.pace)
            self.repair(time.monotonic())
            self.one_fault()
            if not early and time.monotonic() > third:
                early = self.measure()
        self.repair(float('inf'))
        for c in self.clients:
            c.join(240)
            assert not c.is_alive(), f'client {c.number} hangs'
            if c.error:
                raise c.error
        self.wait_empty()
        return self.check(before, early or before)

    def up(self):
        busy = {node for _, _, node in self.repairs}
        return [n for n in self.nodes if n not in busy]

    def repair(self, now):
        for item in sorted(self.repairs):
            when, verb, node = item
            if when > now:
                continue
            self.cluster.verb(verb, node)
            self.books.fault(verb, node)
            for window in self.books.down[node]:
                window[1] = window[1] or time.time()
            self.repairs.remove(item)

    def one_fault(self):
        nodes = self.up()
        table = {'omctld': 4, 'omctld twice': 1, 'omctld stop': 1,
                 'omnoded': 4, 'omnoded twice': 1, 'pause': 2, 'zygote': 2,
                 'step': 5, 'step+zygote': 1, 'all': 1, 'munged': 1,
                 'munged pause': 1}
        if len(nodes) > 2:
            table.update({'crash': 1, 'flash': 1, 'cut': 2, 'long cut': 1})
        kind = self.rng.choices(list(table), list(table.values()))[0]
        node = self.rng.choice(nodes)
        getattr(self, 'do_' + re.sub(r'\W', '_', kind))(node)

    def kill(self, pid, kind, node=None):
        """Noted first: what follows is to be explained by it."""
        if not pid:
            return
        self.books.fault(kind, node)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def do_omctld(self, _):
        old = self.cluster.daemon('omctld')
        if not old:
            return
        self.kill(old, 'omctld')
        wait_for(lambda: self.cluster.daemon('omctld') not in (None, old),
                 'omctld to be back', 20)
        began = time.monotonic()
        done = self.cluster.run('omctl', 'ping', '--timeout=20', user='root')
        if done.code == 0:
            self.books.restarts_s.append(time.monotonic() - began)
        else:
            self.books.notes.append(f'no answer after a kill: {done}')

    def do_omctld_twice(self, _):
        """The second time while it reads the log."""
        for _ in range(2):
            old = wait_for(lambda: self.cluster.daemon('omctld'), 'omctld', 20)
            self.kill(old, 'omctld')
            wait_for(lambda p=old: not alive(p), 'omctld to be gone')
        self.do_omctld(None)

    def do_omctld_stop(self, _):
        """In order: it writes a snapshot."""
        pid = self.cluster.daemon('omctld')
        if pid:
            self.books.fault('omctld stop')
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not alive(pid), 'omctld to end')

    def do_omnoded_twice(self, node):
        self.do_omnoded(node)
        try:
            wait_for(lambda: self.cluster.daemon('omnoded', node), 'omnoded', 5)
        except TimedOut as e:
            self.books.notes.append(f'{node}: {e}')
        self.do_omnoded(node)

    def do_pause(self, node):
        """A daemon that hangs for a moment, then is killed or goes on."""
        name = self.rng.choice(['omctld', 'omnoded', 'zygote'])
        pid = self.zygote(node) if name == 'zygote' else \
            self.cluster.daemon(name, None if name == 'omctld' else node)
        if not pid:
            return
        self.books.fault('pause', node)
        os.kill(pid, signal.SIGSTOP)
        self.stopped.wait(self.rng.uniform(0.2, 2))
        os.kill(pid, self.rng.choice([signal.SIGCONT, signal.SIGKILL]))

    def do_omnoded(self, node):
        self.kill(self.cluster.daemon('omnoded', node), 'omnoded', node)

    def zygote(self, node):
        parent = self.cluster.daemon('omnoded', node)
        for pid, (name, of, _) in processes().items():
            if of == parent and name.startswith('omstepd'):
                return pid
        return None

    def do_zygote(self, node):
        self.kill(self.zygote(node), 'zygote', node)

    def step_daemons(self, node):
        """pid -> job of each, 0 for one without a task yet."""
        table = self.cluster.node_processes(node)
        zygote = self.zygote(node)
        found = {}
        for pid, (name, _, _) in table.items():
            if not name.startswith('omstepd') or pid == zygote:
                continue
            jobs = {job_of(p) for p in descendants(pid, table)} - {0}
            found[pid] = jobs.pop() if jobs else 0
        return found

    def murder(self, node, pids):
        for pid, job in pids.items():
            with self.books.lock:
                self.books.murders.append((time.time(), node, job))
            self.kill(pid, 'step', node)

    def do_step(self, node):
        found = self.step_daemons(node)
        if found:
            pid = self.rng.choice(sorted(found))
            self.murder(node, {pid: found[pid]})

    def do_step_zygote(self, node):
        found = self.step_daemons(node)
        self.do_zygote(node)
        self.murder(node, found)

    def do_all(self, node):
        found = self.step_daemons(node)
        self.do_omnoded(node)
        if self.rng.random() < 0.5:
            self.murder(node, found)
        self.do_omctld(node)

    def do_munged(self, _):
        self.kill(self.cluster.daemon('munged'), 'munged')

    def do_munged_pause(self, _):
        pid = self.cluster.daemon('munged')
        if not pid:
            return
        self.books.fault('munged pause')
        os.kill(pid, signal.SIGSTOP)
        self.stopped.wait(self.rng.uniform(0.5, 4))
        os.kill(pid, signal.SIGCONT)

    def take_down(self, verb, node, seconds, back):
        with self.books.lock:
            self.books.down[node].append([time.time(), None])
        self.books.fault(verb, node)
        self.cluster.verb(verb, node)
        self.repairs.append((time.monotonic() + seconds, back, node))

    def do_crash(self, node):
        self.take_down('crash', node, self.rng.uniform(0, 8), 'restart')

    def do_flash(self, node):
        """Off and on before anybody notices."""
        self.take_down('crash', node, 0, 'restart')
        self.repair(float('inf'))

    def do_cut(self, node):
        self.take_down('cut', node, self.rng.uniform(0, 3), 'heal')

    def do_long_cut(self, node):
        self.take_down('cut', node, self.rng.uniform(6, 12), 'heal')

    def wait_empty(self):
        """What is left ends by itself; within a minute and a half."""
        try:
            wait_for(lambda: not self.cluster.jobs(), 'the queue to be empty',
                     90, pause=0.5)
        except TimedOut:
            left = [(j['id'], j['name'], j['state'], j['nodelist'],
                     j['reason_text']) for j in self.cluster.jobs()]
            self.books.notes.append(f'jobs hang: {left}')
        try:
            self.cluster.wait_nodes(deadline=30)
        except TimedOut as e:
            self.books.notes.append(str(e))

    # ----------------------------------------------------------- the books

    def measure(self):
        """daemon -> (pid, descriptors, bytes of memory)."""
        found = {}
        daemons = [('omctld', None), ('munged', None)]
        daemons += [('omnoded', n) for n in self.up()]
        for name, node in daemons:
            found[name, node] = size_of(self.cluster.daemon(name, node))
        for node in self.up():
            found['zygote', node] = size_of(self.zygote(node))
        return found

    def check(self, before, early):
        wrong = list(self.books.notes)
        rows = self.cluster.json('omhist', '--all', f'--user={self.cluster.user}',
                                 user='root', timeout=120)['jobs']
        by_name = defaultdict(list)
        for row in rows:
            by_name[row['name']].append(row)
        ran = read_runs(self.folder / 'ran')
        for job in self.books.jobs.values():
            wrong += self.check_job(job, by_name[job['name']], ran)
        wrong += self.check_steps(rows)
        wrong += self.check_left()
        wrong += self.check_sizes(before, early)
        slow = [t for t in self.books.restarts_s if t > RESTART_MAX_S]
        if slow:
            wrong.append(f'omctld needed {slow} s to answer again')
        self.rows = rows
        return wrong

    def check_job(self, job, rows, ran):
        """What is wrong with one job, a line for each."""
        name = f'{job["name"]} ({job["kind"]})'
        if job['kind'] in ('command', 'alloc'):
            return self.check_command(job, rows)
        singles = [r for r in rows if not r['array_id'] or
                   r['array_id'] == r['job_id']]
        if job['id'] is None:
            wrong = [f'{name}: {len(rows)} rows of a refused submit'] \
                if len(singles) > 1 else []
            # Only that it took too long is an answer.
            if ': exit 75\n' not in job['refused']:
                wrong.append(f'{name}: {job["refused"]}')
            return wrong
        if job['tasks']:
            singles = [r for r in rows if r['array_id'] != job['id']]
        if [r['job_id'] for r in singles] != [job['id']] * (not job['tasks']):
            return [f'{name}: promised {job["id"]}, the history has '
                    f'{[(r["id"], r["state"]) for r in singles]}']
        tasks = singles
        wrong = []
        if job['tasks']:
            tasks = [r for r in rows if r not in singles]
            indexes = sorted(r['array_index'] for r in tasks)
            if indexes != list(range(job['tasks'])):
                wrong.append(f'{name}: {job["tasks"]} tasks, the history has '
                             f'{indexes}')
        for row in tasks:
            why = self.check_end(job, row) or self.check_runs(job, row, ran)
            if why:
                wrong.append(f'{name} {row["id"]} on {row["nodelist"]}: {why}; '
                             f'{brief(row)}')
        return wrong

    def nodes_of(self, row):
        return expand(row['nodelist'] or '')

    def lost_node(self, row):
        return row['state'] == 'node-fail' and self.books.was_down(
            self.nodes_of(row), row['start_time'] or row['submit_time'],
            row['end_time'])

    def check_end(self, job, row):
        state, code = row['state'], (row['exit_code'], row['exit_signal'])
        nodes = self.nodes_of(row)
        start = row['start_time'] or row['submit_time']
        end = row['end_time'] or 0
        text = row['reason_text'] or ''
        want = expected(job, row)
        if (state, *code) in want or (state, None, None) in want:
            return None
        if state not in OVER:
            return 'it is not over'
        if self.lost_node(row):
            return None if job['kind'] != 'again' else 'it was to be requeued'
        if state == 'failed' and UNKNOWN in text and \
           self.books.may_be_unknown(row['job_id'], nodes, start, end):
            return None
        if job['kind'] == 'steps' and state == 'failed' and (
                self.books.was_murdered(nodes, start, end) or
                self.books.was_down(nodes, start, end)):
            return None
        return f'ended wrongly, not {want}'

    def check_runs(self, job, row, ran):
        """Each incarnation at most once; the last one if it has a result."""
        times = ran[row['job_id']]
        last = row['restarts'] or 0
        twice = {k: n for k, n in times.items() if n > 1}
        if twice:
            return f'its script ran more than once: {dict(times)}'
        if any(k > last for k in times):
            return f'more starts than known: {dict(times)}'
        if job['kind'] == 'never' and len(times) > 1:
            return f'was not to be started twice: {dict(times)}'
        if len(times) > 1 and job['kind'] not in ('again', 'requeued') and \
           not self.books.was_down(self.nodes, row['submit_time'],
                                   row['end_time']):
            return f'started again without a reason: {dict(times)}'
        has_result = row['state'] == 'completed' or \
            row['state'] == 'failed' and UNKNOWN not in (row['reason_text'] or '')
        if has_result and not times[last]:
            return f'has a result, but did not run: {dict(times)}'
        return None

    def check_command(self, job, rows):
        name = f'{job["name"]} ({job["kind"]})'
        if job.get('exit') is None:
            return [f'{name}: never came back']
        if len(rows) > 1:
            return [f'{name}: {len(rows)} jobs of one omrun']
        ok = job['exit'] == job['code'] and job['said'] == 'said\n' * 2
        if ok and not (rows and (
                rows[0]['state'] in ('completed', 'failed') or
                self.lost_node(rows[0]))):
            return [f'{name}: came back with {job["exit"]}, but is '
                    f'{[brief(r) for r in rows]}']
        if ok or not rows:
            return [] if ok or job['exit'] else [f'{name}: no row']
        row = rows[0]
        nodes, start = self.nodes_of(row), row['start_time'] or row['submit_time']
        end = row['end_time'] or time.time()
        if self.books.was_murdered(nodes, start, end) or \
           self.books.was_down(self.nodes, start, end) or \
           self.books.was_hit(('munged', 'munged pause'), nodes, start, end):
            return []
        return [f'{name}: exit {job["exit"]}, not {job["code"]}, said '
                f'{job["said"]!r} {job["text"]!r}: {brief(row)}']

    def check_steps(self, rows):
        """Each task of each step once; nothing of unknown jobs."""
        wrong = []
        for file in ('ran.steps', 'ran.commands'):
            path = self.folder / file
            times = Counter(path.read_text().split()) if path.exists() else {}
            wrong += [f'task {k} ran {n} times' for k, n in times.items()
                      if n > 1]
        known = {r['job_id'] for r in rows}
        wrong += [f'job {k} ran, and is not known'
                  for k in read_runs(self.folder / 'ran') if k not in known]
        return wrong

    def check_left(self):
        wrong = []
        for n in self.cluster.json('omnode', 'list', user='root')['nodes']:
            held = (n['cpus_allocated'], n['mem_allocated_bytes'], n['jobs'])
            if any(held) or n['state'] != 'idle':
                wrong.append(f'{n["name"]} is {n["state"]} with {held} '
                             f'allocated: {n["reason"]}')
        for node in self.nodes:
            zygote = self.zygote(node)
            left = [f'{pid} {name} {command}' for pid, (name, _, command)
                    in self.cluster.node_processes(node).items()
                    if pid != zygote and name != 'omnoded']
            if left:
                wrong.append(f'processes are left on {node}: {left}')
            wrong += [f'left on {node}: {what}' for what in
                      sorted(self.files_on(node) - self.made[node])]
        wrong += [f'cgroup is left: {g}' for g in groups_left(self.cluster.name)]
        return wrong

    def files_on(self, node):
        """Scripts of jobs, sockets, temporary files."""
        spool = self.cluster.folder / 'nodes' / node / 'spool'
        found = {f'spool {p.name}' for p in spool.glob('*/job/*')
                 if not p.name.startswith('spare-')}
        proc = Path(f'/proc/{self.cluster.init(node)}')
        found |= {f'socket {line.split()[7]}' for line in
                  (proc / 'net/unix').read_text().splitlines()[1:]
                  if len(line.split()) > 7}
        for folder in ('tmp', 'dev/shm'):
            found |= {f'/{folder}/{p.name}' for p in
                      (proc / 'root' / folder).iterdir()}
        return found

    def check_sizes(self, before, early):
        wrong = []
        now = self.measure()
        for key, (pid, files, rss) in now.items():
            name = '/'.join(filter(None, key))
            if not pid:
                wrong.append(f'{name} is not there')
                continue
            if files > before[key][1] + 2:
                wrong.append(f'{name} has {files} descriptors, had '
                             f'{before[key][1]}: {files_of(pid)}')
            had = max(before[key][2], early.get(key, (0, 0, 0))[2])
            room = (8 << 20) + (16 << 10) * (len(self.books.jobs)
                                            if key[0] == 'omctld' else 0)
            if rss > had + room:
                wrong.append(f'{name} grew from {had >> 10} to {rss >> 10} KiB')
        self.sizes = now
        return wrong

    def report(self):
        jobs = self.books.jobs.values()
        kinds = Counter(j['kind'] for j in jobs)
        faults = Counter(k for _, k, _ in self.books.faults)
        refused = [j for j in jobs if j.get('refused')]
        restarts = self.books.restarts_s or [0]
        states = Counter(r['state'] for r in getattr(self, 'rows', []))
        return (f'seed {self.seed}, {self.seconds} s, {len(jobs)} submits '
                f'({len(refused)} refused): {dict(kinds)}\n'
                f'states: {dict(states)}\n' +
                ''.join(f'refused: {j["refused"]}' for j in refused) +
                f'faults: {sum(faults.values())}: {dict(faults)}\n'
                f'omctld answered after {max(restarts):.2f} s at most, '
                f'{sum(restarts) / len(restarts):.2f} s on average')


def expected(job, row):
    """The ends that are right: state, exit code, signal (None: any)."""
    code = job['code']
    ran = ('completed' if code == 0 else 'failed', code, 0)
    kind = job['kind']
    if kind == 'array':
        code = row['array_index'] % 3
        return [('completed' if code == 0 else 'failed', code, 0)]
    if kind == 'signal':
        return [('failed', 0, 9)]
    if kind in ('limit', 'stubborn'):
        return [('timeout', None, None)]
    if kind == 'cancel':
        return [('cancelled', None, None)] if job['cancelled'] else \
            [('cancelled', None, None), ('node-fail', None, None)]
    return [ran]


def brief(row):
    return {k: row[k] for k in ('job_id', 'state', 'exit_code', 'exit_signal',
                                'restarts', 'reason_text', 'nodelist',
                                'submit_time', 'start_time', 'end_time')}


def expand(nodes):
    """n1,n[2-3] to a list."""
    found = []
    for part in re.findall(r'[^,\[]+(?:\[[^\]]*\])?', nodes):
        stem, _, inner = part.partition('[')
        for piece in inner.rstrip(']').split(',') if inner else ['']:
            low, _, high = piece.partition('-')
            found += [f'{stem}{i}' for i in range(int(low), int(high or low) + 1)
                      ] if piece else [stem]
    return found


def job_of(pid):
    """The job in whose cgroup a process is, or 0."""
    try:
        text = Path(f'/proc/{pid}/cgroup').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r'/job_(\d+)', text)
    return int(found[1]) if found else 0


def read_runs(path):
    """job -> how often each of its incarnations began."""
    runs = defaultdict(Counter)
    for line in path.read_text().splitlines() if path.exists() else []:
        _, job, restart, *_ = line.split()
        runs[int(job)][int(restart)] += 1
    return runs


def size_of(pid):
    try:
        pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
        return pid, len(os.listdir(f'/proc/{pid}/fd')), pages * 4096
    except (FileNotFoundError, ProcessLookupError):
        return None, 0, 0


def files_of(pid):
    found = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            found.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
        except FileNotFoundError:
            pass
    return sorted(found)


def groups_left(name):
    found = []
    for line in Path('/proc/self/mountinfo').read_text().splitlines():
        left, right = line.split(' - ', 1)
        if right.split()[0] not in ('cgroup', 'cgroup2'):
            continue
        base = Path(left.split()[4]) / 'openmosix' / f'cluster-{name}'
        for folder, inner, _ in os.walk(base):
            found += [f'{folder}/{i}' for i in inner if i.startswith('job_')]
    return found


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seconds', type=float, default=60)
    p.add_argument('--seed', default=str(random.randrange(1 << 30)))
    p.add_argument('--clients', type=int, default=3)
    p.add_argument('--pace', type=float, default=1)
    p.add_argument('--name', default='soak')
    p.add_argument('--network', default='10.197.4.0/24')
    p.add_argument('--user', default='omtest1')
    p.add_argument('--keep', action='store_true')
    o = p.parse_args()
    for user in (o.user, 'omtest2'):	# the latter is in the configuration
        make_user(user)
    pw, _ = user_ids(o.user)
    folder = Path(pw.pw_dir) / f'soak-{os.getpid()}'
    folder.mkdir(mode=0o755)
    os.chown(folder, pw.pw_uid, pw.pw_gid)
    cluster = Cluster(o.name, o.network, nodes=4,
                      options=('--cpus=2', '--cpu-share=200'))
    cluster.user = o.user
    cluster.down()
    cluster.up()
    print(f'seed {o.seed}, folder {folder}, OM_CONF={cluster.conf}', flush=True)
    try:
        soak = Soak(cluster, folder, o.seed, o.seconds, o.clients,
                    o.pace)
        wrong = soak.run()
        print(soak.report())
        print(json.dumps({'/'.join(filter(None, k)): v[1:]
                          for k, v in soak.sizes.items()}))
        for line in wrong:
            print('WRONG', line)
        return 1 if wrong else 0
    finally:
        if not o.keep:
            cluster.down()


if __name__ == '__main__':
    sys.exit(main())
