#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long one does not want to wait, and what it costs to be idle or full:
one submit, many submits, submit to start, the queue's listing, omctld's memory
by pending job, its restart, the history. Beside each its ratio to a start of
/bin/true, to Slurm, or to the same thing at another size, in the same run."""
import argparse
import json
import os
import pwd
import resource  # noqa: F401 - os.wait4 wants it, found before the user changes
import signal
import tempfile
import time

from benchkit import (USER, Group, Table, main, many, median, output,
                      process_rss, process_used_s, wait_for)
from om_cluster import OpenMosix

MS = 1e3
KIB = 1024.0
MIB = 1024.0 * 1024


def in_child(group, work):
    """work() as an ordinary user, in group; what it returns, by JSON."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            if group:
                group.join()
            who = pwd.getpwnam(USER)
            os.setgroups([])
            os.setgid(who.pw_gid)
            os.setuid(who.pw_uid)
            with os.fdopen(write, "w") as f:
                json.dump(work(), f)
            os._exit(0)
        except BaseException as e:
            os.write(2, f"{e}\n".encode())
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as f:
        text = f.read()
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("a measurement failed")
    return json.loads(text)


def run_once(argv, env):
    """(wall, processor) seconds of one command."""
    null = os.open("/dev/null", os.O_WRONLY)
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, env,
                         file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, usage = os.wait4(pid, 0)
    took = time.monotonic() - begin
    os.close(null)
    if status:
        raise RuntimeError(f"{' '.join(argv)}: status {status}")
    return took, usage.ru_utime + usage.ru_stime


def start_once(argv, env, pipe):
    """Milliseconds until the job's script has opened the pipe for writing."""
    null = os.open("/dev/null", os.O_WRONLY)
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, env,
                         file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    reader = os.open(pipe, os.O_RDONLY)
    took = time.monotonic() - begin
    os.close(reader)
    os.close(null)
    os.waitpid(pid, 0)
    time.sleep(0.1)             # idle again, the job's end done with
    return MS * took


def timed(argv, env, n, group=None):
    """Medians of n runs: (wall, processor) in ms."""
    runs = in_child(group, lambda: [run_once(argv, env) for _ in range(n)])
    return MS * median([r[0] for r in runs]), MS * median([r[1] for r in runs])


def full_path(system, words):
    if "/" not in words[0]:
        words = ["/usr/bin/" + words[0]] + words[1:]
    return words


def hold(words):
    return words[:1] + ["--hold"] + words[1:]


class Latency:
    def __init__(self, args, table):
        self.args = args
        self.table = table
        self.om = OpenMosix(args.build)
        self.slurm = None
        self.true = None

    def scale(self, n):
        return max(1, n // 10) if self.args.short else n

    # ---- one command

    def one_true(self):
        self.true, used = timed(["/bin/true"], {}, self.scale(200))
        self.table.add("start of /bin/true", self.true, "ms")

    def one_submit(self, system, goal):
        words = hold(full_path(system, system.submit_words(self.args.script)))
        n = self.scale(100)
        before = sum(system.used().values())
        wall, used = timed(words, system.env, n, system.clients)
        total = MS * (sum(system.used().values()) - before) / n
        name = os.path.basename(words[0])
        self.table.add(f"one {name}", wall, "ms", wall / self.true, "/bin/true",
                       goal)
        self.table.add(f"one {name}, its processor time", used, "ms")
        self.table.add(f"one {name}, processor time in all", total, "ms")
        return wall

    # ---- many submits

    def submits(self, system, base=None):
        n = self.scale(1000)
        words = hold(system.submit_words(self.args.script))
        rate = n / many(self.om.program("spawn_rate"), system.clients, n, 8,
                        words, system.env)
        self.table.add(f"{n} submits, 8 {words[0].rsplit('/', 1)[-1]} at a time",
                       rate, "/s", rate / base if base else None, "Slurm",
                       ("value", ">=", 1000) if base is not None else None)
        return rate

    def connections(self):
        n = self.scale(1000)
        out = self.submit_many("-n", str(n), "-c", "8", "-w", "1", "-H")
        self.table.add(f"{n} submits, 8 connections", float(out[4]), "/s",
                       goal=("value", ">=", 1000))

    def submit_many(self, *options):
        words = [self.om.program("submit_many"), *options]
        who = pwd.getpwnam(USER)
        return output(words, env=self.om.env, user=who.pw_uid, group=who.pw_gid,
                      extra_groups=[]).split()

    def array(self):
        n = self.scale(100000)
        one = hold(self.om.submit_words(self.args.script))
        words = one[:1] + [f"--array=1-{n}"] + one[1:]
        a = timed(words, self.om.env, 5, self.om.clients)[0]
        b = timed(one, self.om.env, 5, self.om.clients)[0]
        self.table.add(f"submit of an array of {n}", a, "ms", a / b, "one job",
                       ("value", "<=", 50))

    # ---- submit to start

    def start_latency(self, system, goal=None, base=None):
        folder = tempfile.mkdtemp(prefix="omb-", dir="/var/tmp")
        os.chmod(folder, 0o755)
        pipe = os.path.join(folder, "pipe")
        script = os.path.join(folder, "job.sh")
        os.mkfifo(pipe)
        os.chmod(pipe, 0o666)
        with open(script, "w") as f:
            f.write(f"#!/bin/sh\n: > {pipe}\n")
        os.chmod(script, 0o755)
        try:
            words = full_path(system, system.submit_words(script))
            n = self.scale(50)
            took = in_child(system.clients, lambda: [
                start_once(words, system.env, pipe) for _ in range(n)])
        finally:
            for name in (pipe, script):
                os.unlink(name)
            os.rmdir(folder)
        value = median(took)
        self.table.add(f"{system.name}: submit to the script's first line", value,
                       "ms", value / base if base else value / self.true,
                       "Slurm" if base else "/bin/true", goal)
        return value

    # ---- idle

    def idle(self, system, seconds):
        """Processor share of each daemon over some seconds of nothing."""
        wait_for(lambda: system.finished(0), 60, "an idle cluster")
        pids = {"omctld": [system.daemon("omctld")],
                "munged": [system.daemon("munged")],
                "omnoded": system.node_daemons("omnoded"),
                "omstepd": system.node_daemons("omstepd")}
        before = {p: process_used_s(p) for v in pids.values() for p in v}
        begin, all_before = time.monotonic(), system.group.used_s()
        time.sleep(seconds)
        took = time.monotonic() - begin
        for name, members in pids.items():
            if not members:
                continue
            share = max(100 * (process_used_s(p) - before[p]) / took
                        for p in members)
            self.table.add(f"idle {name}" + (", the busiest" if len(members) > 1
                           else ""), share, "% core", goal=("value", "<=", 0.5))
            if name != "munged":
                rss = max(process_rss(p) for p in members) / MIB
                self.table.add(f"idle {name}, resident", rss, "MiB",
                               goal=("value", "<=", 20)
                               if name == "omnoded" else None)
        self.table.add("idle cluster in all", 100 * (system.group.used_s() -
                       all_before) / took, "% core")

    # ---- a full queue

    def fill(self, to):
        p = self.om.ping()
        missing = to - p["jobs_pending"]
        if missing > 0:
            self.submit_many("-n", str(missing), "-c", "8", "-w", "64", "-H")

    def rss(self):
        return process_rss(self.om.daemon("omctld"))

    def restart(self, label, base=None):
        pid = self.om.daemon("omctld")
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.answers(), 60, "omctld to come back", every=0.002)
        took = MS * (time.monotonic() - begin)
        self.table.add(f"omctld killed to first answer, {label}", took, "ms",
                       took / base if base else None, "empty",
                       ("value", "<=", 2000))
        return took

    def answers(self):
        try:
            self.om.ping("0.1")
            return True
        except Exception:
            return False

    def listing(self, n):
        empty = timed([self.om.program("omq"), "-t", "running"], self.om.env, 5)[0]
        wall, used = timed([self.om.program("omq")], self.om.env, 5)
        self.table.add(f"omq, {n} pending", wall, "ms", wall / empty,
                       "omq of none", ("value", "<=", 200))
        self.table.add(f"omq, {n} pending, its processor time", used, "ms")

    def full(self):
        empty = self.restart("empty")
        wait_for(lambda: self.om.ping()["nodes_up"] == self.om.nodes, 30, "nodes")
        self.om.command("omcancel", "--user", USER)
        base = self.rss()
        first = self.scale(10000)
        for n in (first, self.scale(50000), self.scale(100000)):
            self.fill(n)
            rss = self.rss()
            self.table.add(f"omctld, {n} pending", rss / MIB, "MiB",
                           rss / base, "empty", ("value", "<=", 300))
            if n == first:
                at_first = rss
            else:               # buffers and caches have their size by now
                self.table.add(f"omctld, {n} pending, each over the first {first}",
                               (rss - at_first) / (n - first) / KIB, "KiB",
                               goal=None if self.args.short else
                               ("value", "<=", 1))
            if n == self.scale(50000):
                self.listing(n)
                self.restart(f"{n} pending", empty)

    def history(self):
        n = self.scale(100000)
        begin = time.monotonic()
        self.om.command("omcancel", "--user", USER)
        self.table.add(f"omcancel of {n}", MS * (time.monotonic() - begin), "ms")
        last = int(self.submit_many("-n", "1", "-c", "1", "-H")[5])
        wait_for(lambda: self.om.command("omhist", "--noheader", str(last - 1)),
                 30, "the history to have them")
        for label, job in (("newest", last - 1), ("oldest", last - n)):
            words = [self.om.program("omhist"), str(job)]
            wall = timed(words, self.om.env, 20)[0]
            self.table.add(f"omhist of the {label} of {n}", wall, "ms",
                           wall / self.true, "/bin/true", ("value", "<=", 50))

    # ---- all of it

    def peer(self):
        from peer_slurm import Slurm
        with Slurm() as slurm:
            start = self.start_latency(slurm)
            self.one_submit(slurm, None)
            return start, self.submits(slurm)

    def run(self):
        self.one_true()
        start, rate = (None, 0) if self.args.no_slurm else self.peer()
        parts = {
            "idle": lambda: self.idle(self.om, self.args.idle),
            "start": lambda: self.start_latency(
                self.om, ("value", "<=", 20), start),
            "submit": lambda: self.one_submit(self.om, ("value", "<=", 15)),
            "submits": lambda: (self.submits(self.om, rate),
                                self.connections()),
            "array": self.array,
            "full": self.full,
            "history": self.history,
        }
        with self.om:
            for name, part in parts.items():
                if not self.args.parts or name in self.args.parts:
                    part()


def run():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.environ.get("OM_BUILD", "."),
                   help="where openMosix was built, or its prefix")
    p.add_argument("--script", default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "true.sh"))
    p.add_argument("--short", action="store_true", help="a tenth of everything")
    p.add_argument("--idle", type=float, default=20, help="seconds of nothing")
    p.add_argument("--no-slurm", action="store_true")
    p.add_argument("--parts", type=lambda s: s.split(","),
                   help="idle,start,submit,submits,array,full,history")
    p.add_argument("--json")
    args = p.parse_args()
    if args.short:
        args.no_slurm = True
        args.idle = min(args.idle, 5)
    table = Table("latency and size", args.json)
    Latency(args, table).run()
    table.end()


if __name__ == "__main__":
    main(run)
