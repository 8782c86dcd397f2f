# SPDX-License-Identifier: GPL-3.0-or-later
"""What all benchmarks share: processor time by cgroup, programs run in such a
group, waiting for a condition, and the table of results.

Rates depend on what else the machine does; so every figure that has a goal is
printed beside its ratio to something measured in the same run, and a missed
goal is told in the table but is never an error."""
import json
import os
import pwd
import shutil
import signal
import statistics
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
TRUE_JOB = os.path.join(BENCH, "true.sh")
USER = "nobody"                 # submits in both systems: root's jobs differ


class BenchError(Exception):
    """A benchmark cannot go on; its text says why."""


def cgroup2_mount():
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ", 1)
            if right.startswith("cgroup2 "):
                return left.split()[4]
    raise BenchError("cgroup2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup")


def find_program(build, name):
    """A program of ours, in a build folder or an installation's prefix."""
    for folder in ("", "bin", "sbin"):
        path = os.path.join(os.path.abspath(build), folder, name)
        if os.access(path, os.X_OK):
            return path
    raise BenchError(f"{name} is not in {build}: make {name}, or --build=FOLDER")


class Group:
    """A cgroup2 folder. The kernel charges it for all that ever ran in it or
    below it, also for processes and groups that are gone."""

    def __init__(self, name, create=True):
        self.path = os.path.join(cgroup2_mount(), name)
        if create:
            os.makedirs(self.path, exist_ok=True)
        elif not os.path.isdir(self.path):
            raise BenchError(f"no cgroup {self.path}")

    def used_s(self):
        with open(os.path.join(self.path, "cpu.stat")) as f:
            for line in f:
                if line.startswith("usage_usec "):
                    return int(line.split()[1]) / 1e6
        raise BenchError(f"{self.path}/cpu.stat tells no usage")

    def join(self):
        with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write("0")

    def start(self, argv, user=None, **kw):
        """Popen in this group, as user."""
        who = pwd.getpwnam(user) if user else None

        def prepare():
            self.join()
            if who:
                os.setgroups([])
                os.setgid(who.pw_gid)
                os.setuid(who.pw_uid)

        return subprocess.Popen(argv, preexec_fn=prepare, cwd="/", **kw)

    def populated(self):
        with open(os.path.join(self.path, "cgroup.events")) as f:
            return "populated 1" in f.read()

    def kill(self):
        with open(os.path.join(self.path, "cgroup.kill"), "w") as f:
            f.write("1")
        wait_for(lambda: not self.populated(), 10, f"{self.path} to be empty")

    def remove(self):
        """Kills what is in it, removes it and all below."""
        if not os.path.isdir(self.path):
            return
        self.kill()
        for folder, _, _ in os.walk(self.path, topdown=False):
            os.rmdir(folder)


def wait_for(condition, seconds, what, every=0.02):
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise BenchError(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


def wait_quiet(used_s, seconds=30, share=0.03):
    """Until what has just been started has found its rest."""
    def quiet():
        before = used_s()
        time.sleep(0.5)
        return used_s() - before < 0.5 * share
    wait_for(quiet, seconds, "the daemons to be idle")


def output(argv, **kw):
    """What the command prints; its failure is ours."""
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, **kw)
    if p.returncode:
        raise BenchError(f"{' '.join(argv)}: exit {p.returncode}: "
                         f"{p.stderr.strip() or p.stdout.strip()}")
    return p.stdout


def process_used_s(pid):
    """Processor time of one process, its ended threads included."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_rss(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def processes_named(group, name):
    """Pids of the processes called name in a group and below."""
    found = []
    for folder, _, files in os.walk(group.path):
        if "cgroup.procs" not in files:
            continue
        with open(os.path.join(folder, "cgroup.procs")) as f:
            pids = f.read().split()
        for pid in pids:
            try:
                with open(f"/proc/{pid}/comm") as f:
                    if f.read().strip() == name:
                        found.append(int(pid))
            except FileNotFoundError:
                pass
    return found


def many(spawn_rate, group, n, clients, argv, env):
    """Runs argv n times, by so many clients at once; returns seconds. By
    spawn_rate, whose own share of the time is a tenth of xargs'."""
    begin = time.monotonic()
    if "/" not in argv[0]:
        argv = [shutil.which(argv[0], path=env["PATH"])] + argv[1:]
    p = group.start([spawn_rate, "-n", str(n), "-t", str(clients)] + argv,
                    user=USER, env=env, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE, text=True)
    _, errors = p.communicate()
    if p.returncode:
        raise BenchError(f"{argv[0]} failed: {errors.strip()[:500]}")
    return time.monotonic() - begin


class Busy:
    """How much of the machine others took meanwhile, for the reader."""

    def __init__(self):
        self.begin = self.read()
        self.at = time.monotonic()

    @staticmethod
    def read():
        with open("/proc/stat") as f:
            v = [int(x) for x in f.readline().split()[1:9]]
        return sum(v) - v[3] - v[4]

    def others_share(self, own_s):
        took = time.monotonic() - self.at
        busy = (self.read() - self.begin) / os.sysconf("SC_CLK_TCK")
        return max(0.0, (busy - own_s) / took / os.cpu_count())


class Table:
    """name value unit ratio goal ok/MISS. A goal is ("value" or "ratio",
    "<=" or ">=", limit)."""
    HEAD = ("name", "value", "unit", "ratio", "goal", "")

    def __init__(self, title, json_path=None):
        self.rows = []
        self.json_path = json_path
        print(f"# {title}: {os.cpu_count()} processors, Linux "
              f"{os.uname().release}", flush=True)
        self.show(self.HEAD)

    @staticmethod
    def show(cells):
        print(f"{cells[0]:<46} {cells[1]:>10} {cells[2]:<9} {cells[3]:<24} "
              f"{cells[4]:<12} {cells[5]}".rstrip(), flush=True)

    @staticmethod
    def number(v):
        if v >= 1000:
            return f"{v:,.0f}"
        return f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"

    def add(self, name, value, unit, ratio=None, to="", goal=None):
        verdict, text = "", ""
        if goal:
            which, op, limit = goal
            got = ratio if which == "ratio" else value
            ok = got <= limit if op == "<=" else got >= limit
            verdict = "ok" if ok else "MISS"
            text = f"{op} {limit:g}" + ("x" if which == "ratio" else "")
        shown = f"{self.number(ratio)} x {to}" if ratio is not None else ""
        self.show((name, self.number(value), unit, shown, text, verdict))
        self.rows.append({"name": name, "value": value, "unit": unit,
                          "ratio": ratio, "to": to, "goal": text,
                          "verdict": verdict})

    def note(self, text):
        print(f"  ({text})", flush=True)

    def end(self):
        missed = sum(r["verdict"] == "MISS" for r in self.rows)
        goals = sum(bool(r["verdict"]) for r in self.rows)
        print(f"{goals - missed} of {goals} goals reached", flush=True)
        if self.json_path:
            with open(self.json_path, "w") as f:
                json.dump(self.rows, f, indent=1)


def median(values):
    return statistics.median(values)


def bare_machine(spawn_rate, jobs):
    """What the machine does without a scheduler: {(mode, threads): (jobs/s,
    ms a job)} by spawn_rate."""
    group = Group("omb-spawn")
    result = {}
    try:
        for threads in (1, 2):
            for extra in ([], ["-g", group.path]):
                words = output([spawn_rate, "-n", str(jobs), "-t", str(threads)]
                               + extra + [TRUE_JOB]).split()
                result[(words[0], threads)] = (float(words[4]), float(words[5]))
    finally:
        group.remove()
    return result


def main(run):
    """Runs a benchmark; its own errors in one line, and no trace of ^C."""
    def end(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)
    if os.geteuid() != 0:
        sys.exit("the benchmarks need root")
    try:
        run()
    except BenchError as e:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
