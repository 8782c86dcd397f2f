# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of virtual nodes, as system tests use it.

wait_for is the only place that sleeps: a test waits for a condition, with a
deadline, and says what it waited for.
"""
import grp
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PREFIX = Path(os.environ.get('OM_PREFIX', TOP / 'build-check' / 'inst'))
OMCLUSTER = PREFIX / 'sbin' / 'omcluster'
OVER = {'completed', 'failed', 'cancelled', 'timeout', 'node-fail',
        'out-of-memory', 'preempted', 'deadline', 'boot-fail'}

# Short time-outs, so that a test of one is short; users with rights.
CONF = '''
kill_wait = 2s
node_timeout = 5s
operators = { omtest2 }
partition "main" { default = yes }
partition "shared" { mode = shared }
partition "brief" { max_time = 10s }
'''


class TimedOut(AssertionError):
    pass


def wait_for(condition, what, deadline=20.0, pause=0.02):
    """Until condition() is true; its value is the result."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimedOut(f'waited {deadline:g} s for {what}')
        time.sleep(pause)


class Result:
    """What a command did."""

    def __init__(self, argv, done):
        self.argv = argv
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self):
        return (f'{" ".join(map(str, self.argv))}: exit {self.code}\n'
                f'{self.out}{self.err}')

    def ok(self):
        assert self.code == 0, self
        return self


def user_ids(name):
    pw = pwd.getpwnam(name)
    groups = os.getgrouplist(name, pw.pw_gid)
    return pw, groups


def make_user(name, group=None):
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(['useradd', '--create-home', '--shell', '/bin/sh', name],
                       check=True)
    if group:
        try:
            grp.getgrnam(group)
        except KeyError:
            subprocess.run(['groupadd', group], check=True)
        if name not in grp.getgrnam(group).gr_mem:
            subprocess.run(['usermod', '-aG', group, name], check=True)


def alive(pid):
    """A process that is not a zombie."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(')', 1)[1].split()[0] not in 'ZX'


def processes():
    """pid -> (name, parent, command line) of all that are no zombies."""
    found = {}
    for entry in Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / 'stat').read_text()
            command = (entry / 'cmdline').read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        rest = stat.rsplit(')', 1)[1].split()
        if rest[0] in 'ZX':
            continue
        name = stat[stat.index('(') + 1:stat.rindex(')')]
        found[int(entry.name)] = (name, int(rest[1]),
                                  command.replace(b'\0', b' ').decode(
                                      errors='replace'))
    return found


def descendants(root, table=None):
    table = table or processes()
    children = {}
    for pid, (_, parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


class Cluster:
    """One cluster; see omcluster(8)."""

    def __init__(self, name, network, nodes=3, conf=CONF, omcluster=OMCLUSTER,
                 options=()):
        self.name = name
        self.nodes = nodes
        self.omcluster = omcluster
        self.folder = Path(f'/run/openmosix/cluster-{name}')
        self.options = [f'--network={network}', *options]
        self.conf_text = conf
        self.conf = self.folder / 'openmosix.conf'
        self.user = 'omtest1'

    # ---- life

    def up(self, *options):
        (self.folder / 'conf.d').mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        (self.folder / 'conf.d' / 'test.conf').write_text(self.conf_text)
        return self.verb('up', str(self.nodes), *self.options, *options)

    def down(self):
        return self.verb('down')

    def verb(self, verb, *args, check=True, timeout=120):
        argv = [self.omcluster, verb, f'--name={self.name}', *args]
        result = Result(argv, subprocess.run(
            argv, text=True, capture_output=True, timeout=timeout,
            stdin=subprocess.DEVNULL, check=False))
        return result.ok() if check else result

    def status(self):
        return json.loads(self.verb('status', '--json').out)

    def node_status(self, name):
        return next(n for n in self.status()['nodes'] if n['name'] == name)

    def wait_nodes(self, state='idle', nodes=None, deadline=30):
        def good():
            return all(n['state'] == state for n in self.status()['nodes']
                       if nodes is None or n['name'] in nodes)
        wait_for(good, f'nodes {nodes or "all"} to be {state}', deadline,
                 pause=0.1)

    def log(self, name):
        return (self.folder / 'log' / f'{name}.log').read_text(errors='replace')

    # ---- commands

    def env(self, user):
        pw, _ = user_ids(user)
        return {'PATH': f'{PREFIX}/bin:{PREFIX}/sbin:/usr/sbin:/usr/bin:/sbin:/bin',
                'OM_CONF': str(self.conf), 'HOME': pw.pw_dir, 'USER': user,
                'LOGNAME': user, 'LANG': 'C.UTF-8'}

    def popen(self, *argv, user=None, cwd=None, env=None, **kwargs):
        user = user or self.user
        pw, groups = user_ids(user)
        full = {**self.env(user), **(env or {})}
        program = shutil.which(argv[0], path=full['PATH']) or argv[0]
        return subprocess.Popen(
            [program, *map(str, argv[1:])], cwd=cwd or pw.pw_dir, env=full,
            user=pw.pw_uid, group=pw.pw_gid, extra_groups=groups, umask=0o022,
            text=True, **kwargs)

    def run(self, *argv, user=None, cwd=None, env=None, stdin=None, timeout=60):
        process = self.popen(*argv, user=user, cwd=cwd, env=env,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            process.stdout_, process.stderr_ = process.communicate(
                stdin or '', timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise TimedOut(f'{argv}: not over after {timeout} s') from None
        return Result(argv, subprocess.CompletedProcess(
            argv, process.returncode, process.stdout_, process.stderr_))

    def json(self, *argv, **kwargs):
        return json.loads(self.run(*argv, '--json', **kwargs).ok().out)

    # ---- jobs

    def sub(self, *args, script=None, user=None, cwd=None, env=None):
        """Submits; the job's number. script: the text of one."""
        if script is not None:
            if not script.startswith('#!'):
                script = '#!/bin/sh\n' + script
            path = Path(cwd) / 'job.sh'
            path.write_text(script)
            args = (*args, str(path))
        out = self.run('omsub', '--parsable', *args, user=user, cwd=cwd,
                       env=env).ok().out
        return int(out)

    def job(self, job, user=None):
        """All that is known of a job."""
        found = self.json('omq', str(job), user=user)['jobs']
        assert len(found) == 1, found
        return found[0]

    def jobs(self, *args):
        return self.json('omq', *args, user='root')['jobs']

    def history(self, *args):
        return self.json('omhist', *args, user='root')['jobs']

    def wait_state(self, job, *states, deadline=30):
        def there():
            info = self.job(job)
            if info['state'] in states:
                return info
            if info['state'] in OVER:
                raise AssertionError(
                    f'job {job} is {info["state"]}, not {states}: {info}')
            return None
        return wait_for(there, f'job {job} to be {" or ".join(states)}',
                        deadline)

    def wait_over(self, job, deadline=30):
        return self.wait_state(job, *OVER, deadline=deadline)

    def wait_quiet(self, deadline=30):
        wait_for(lambda: not self.jobs(), 'the queue to be empty', deadline,
                 pause=0.05)

    # ---- processes

    def init(self, node):
        return int((self.folder / 'pid' / node).read_text().split()[0])

    def supervisor(self):
        return int((self.folder / 'controller.pid').read_text().split()[0])

    def daemon(self, name, node=None):
        """The host's pid of omctld, munged; with node: omnoded."""
        root = self.init(node) if node else self.supervisor()
        table = processes()
        for pid in descendants(root, table):
            if table[pid][0].startswith(name) and table[pid][1] == root:
                return pid
        return None

    def kill_daemon(self, name, node=None, signo=signal.SIGKILL):
        """Kills it and waits until another one is there."""
        old = wait_for(lambda: self.daemon(name, node), f'{name} to be there')
        os.kill(old, signo)
        wait_for(lambda: self.daemon(name, node) not in (None, old),
                 f'{name} to be back', 5)
        return old

    def node_processes(self, node):
        """What runs in a node: pid -> (name, parent, command)."""
        table = processes()
        return {pid: table[pid] for pid in descendants(self.init(node), table)}

    def job_processes(self, word, nodes=None):
        """Processes in nodes whose command line holds the word."""
        found = []
        for n in nodes or [f'n{i + 1}' for i in range(self.nodes)]:
            found += [f'{n}: {pid} {p[2]}'
                      for pid, p in self.node_processes(n).items()
                      if word in p[2]]
        return found

    def exec(self, node, *argv, user=None, check=True):
        options = [f'--user={user}'] if user else []
        return self.verb('exec', *options, node, '--', *argv, check=check)
