# SPDX-License-Identifier: GPL-3.0-or-later
"""openMosix as the benchmarks use it: "omcluster up 4" under a name of its
own, with as many slots as the Slurm beside it and no share of the processors
kept back."""
import json
import os
import subprocess

from benchkit import (BenchError, Group, find_program, output,
                      process_used_s, processes_named, wait_for, wait_quiet)

NAME = "bench"
NETWORK = "10.91.0.0/24"
SLOTS = 256
BASE = f"/run/openmosix/cluster-{NAME}"


class OpenMosix:
    name = "openMosix"

    def __init__(self, build, nodes=4, options=()):
        self.build = build
        self.nodes = nodes
        self.options = list(options)
        self.conf = os.path.join(BASE, "openmosix.conf")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OM_CONF": self.conf}

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def program(self, name):
        return find_program(self.build, name)

    # ---- up and down

    def up(self):
        self.down()
        output([self.program("omcluster"), "up", str(self.nodes),
                f"--name={NAME}", f"--network={NETWORK}", f"--cpus={SLOTS}",
                f"--cpu-share={100 * os.cpu_count()}", *self.options])
        self.group = Group(f"openmosix/cluster-{NAME}", create=False)
        self.clients = Group("omb-om/client")
        wait_quiet(self.group.used_s)   # the nodes measure their speed first

    def down(self):
        subprocess.run([self.program("omcluster"), "down", f"--name={NAME}"],
                       stdout=subprocess.DEVNULL, check=True)
        Group("omb-om").remove()

    # ---- use

    def command(self, name, *args):
        return output([self.program(name), *args], env=self.env)

    def daemon(self, name):
        """The pid of omctld or munged on the host."""
        found = processes_named(Group(f"openmosix/cluster-{NAME}/host"), name)
        if len(found) != 1:
            raise BenchError(f"{len(found)} processes called {name}")
        return found[0]

    def node_daemons(self, name):
        return processes_named(self.group, name)

    def ping(self, timeout="60s"):
        return json.loads(self.command("omctl", "ping", "--json",
                                       f"--timeout={timeout}"))

    def used(self):
        """Processor seconds by component; their sum is all there is."""
        nodes = sum(Group(f"openmosix/cluster-{NAME}/n{i + 1}").used_s()
                    for i in range(self.nodes))
        ctld = process_used_s(self.daemon("omctld"))
        munge = process_used_s(self.daemon("munged"))
        return {"ctld": ctld, "node": nodes, "munge": munge,
                "client": self.clients.used_s(),
                "rest": self.group.used_s() - nodes - ctld - munge}

    def reset_count(self):
        p = self.ping()
        if p["jobs_pending"] or p["jobs_running"]:
            raise BenchError("there are jobs left of an earlier measurement")

    def finished(self, jobs):
        p = self.ping()
        return p["jobs_pending"] + p["jobs_running"] == 0

    def submit_words(self, script):
        return [self.program("omsub"), "-Q", "-o", "/dev/null", script]

    def array_words(self, script, n):
        return [self.program("omsub"), "-Q", "-o", "/dev/null",
                f"--array=1-{n}", script]

    def wait_idle(self, seconds):
        wait_for(lambda: self.finished(0), seconds, "the queue to be empty", 0.1)
