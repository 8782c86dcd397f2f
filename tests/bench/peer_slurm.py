#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tuned Slurm on this machine, for measuring side by side: munged and
slurmctld on the host, a slurmd in a network, UTS and PID namespace for each
node, joined by a bridge. Debian 12: slurmctld slurmd slurm-client munge.

    peer_slurm.py up [--nodes N]     down     run COMMAND...

What it makes: FOLDER, namespaces omb-n1..., the bridge omb-br, and the cgroup
omb-slurm, in which everything runs; "down" removes all of it.

The settings are the fastest found for many short jobs: no accounting, no
process tracking by cgroups, a wide scheduling depth, records of ended jobs
dropped after two seconds."""
import argparse
import os
import shutil
import socket
import subprocess
import sys

from benchkit import BenchError, Group, main, output, wait_for, wait_quiet

FOLDER = "/run/openmosix-bench/slurm"
BRIDGE = "omb-br"
NETWORK = "10.92.0"
SLOTS = 256                     # claimed by each node
COMPONENTS = ("ctld", "node", "munge", "client")
PROGRAMS = {"slurmctld": "slurmctld", "slurmd": "slurmd",
            "sbatch": "slurm-client", "munged": "munge", "ip": "iproute2"}

CONF = """\
ClusterName=bench
SlurmctldHost={host}({net}.254)
SlurmctldPort=17400-17403
SlurmdPort=17410
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldDebug=error
SlurmdDebug=error
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PriorityType=priority/basic
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MaxJobCount=300000
MaxArraySize=200001
MinJobAge=2
MessageTimeout=60
ReturnToService=2
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
SlurmdTimeout=300
InactiveLimit=0
KillWait=5
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=200000,default_queue_depth=2000,\
partition_job_depth=2000,batch_sched_delay=0,bf_interval=60,bf_max_job_test=100
NodeName=n[1-{nodes}] NodeAddr={net}.[1-{nodes}] CPUs={slots} Sockets=1 \
CoresPerSocket={slots} ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def namespaces():
    return [line.split()[0] for line in output(["ip", "netns", "list"]).splitlines()
            if line.startswith("omb-n")]


class Slurm:
    """Use as a context manager: up on entry, down on leaving."""
    name = "Slurm"

    def __init__(self, nodes=4):
        self.nodes = nodes
        self.conf = os.path.join(FOLDER, "slurm.conf")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "SLURM_CONF": self.conf}

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    # ---- up and down

    def up(self):
        for program, package in PROGRAMS.items():
            if not shutil.which(program, path=self.env["PATH"]):
                raise BenchError(f"{program} is missing: apt-get install {package}")
        self.down()
        try:
            self.groups = {c: Group(f"omb-slurm/{c}") for c in COMPONENTS}
            self.write_files()
            self.make_network()
            self.start_daemons()
            wait_for(lambda: self.idle_nodes() == self.nodes, 30,
                     "Slurm's nodes", every=0.2)
            wait_quiet(lambda: sum(self.used().values()))
        except BaseException:
            self.down(keep_logs=True)
            raise

    def down(self, keep_logs=False):
        Group("omb-slurm", create=True).remove()
        for name in namespaces():
            output(["ip", "netns", "del", name])
        if os.path.isdir(f"/sys/class/net/{BRIDGE}"):
            output(["ip", "link", "del", BRIDGE])
        if not keep_logs:
            shutil.rmtree(FOLDER, ignore_errors=True)
            if os.path.isdir(os.path.dirname(FOLDER)) and \
               not os.listdir(os.path.dirname(FOLDER)):
                os.rmdir(os.path.dirname(FOLDER))

    def write_files(self):
        for sub in ("munge", "state", "spool"):
            os.makedirs(os.path.join(FOLDER, sub), mode=0o755)
        key = os.open(os.path.join(FOLDER, "munge", "key"),
                      os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(key, os.urandom(128))
        os.close(key)
        with open(self.conf, "w") as f:
            f.write(CONF.format(host=socket.gethostname(), net=NETWORK,
                                folder=FOLDER, nodes=self.nodes, slots=SLOTS))
        with open(os.path.join(FOLDER, "cgroup.conf"), "w") as f:
            f.write("CgroupPlugin=cgroup/v1\n")

    def make_network(self):
        def ip(*words):
            output(["ip", *words])

        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{NETWORK}.254/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for i in range(1, self.nodes + 1):
            ns, link = f"omb-n{i}", f"omb-v{i}"
            ip("netns", "add", ns)
            ip("link", "add", link, "type", "veth", "peer", "name", "eth0",
               "netns", ns)
            ip("link", "set", link, "master", BRIDGE, "up")
            ip("-n", ns, "link", "set", "lo", "up")
            ip("-n", ns, "addr", "add", f"{NETWORK}.{i}/24", "dev", "eth0")
            ip("-n", ns, "link", "set", "eth0", "up")

    def start_daemons(self):
        m = os.path.join(FOLDER, "munge")
        self.spawn("munge", ["munged", "--force", "--foreground",
                             "--num-threads=10", f"--key-file={m}/key",
                             f"--socket={m}/socket", f"--pid-file={m}/pid",
                             f"--log-file={m}/log", f"--seed-file={m}/seed"])
        wait_for(lambda: os.path.exists(f"{m}/socket"), 10, "munged")
        self.spawn("ctld", ["slurmctld", "-c", "-D"])
        for i in range(1, self.nodes + 1):
            # The shell is process 1: slurmstepd leaves orphans to reap.
            init = f"hostname n{i}; slurmd -D -N n{i} & wait; wait"
            self.spawn("node", ["ip", "netns", "exec", f"omb-n{i}", "unshare",
                                "--uts", "--pid", "--fork", "--kill-child",
                                "--mount-proc", "sh", "-c", init])

    def spawn(self, component, argv):
        self.groups[component].start(argv, env=self.env, start_new_session=True,
                                     stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)

    # ---- use

    def command(self, *argv):
        return output(list(argv), env=self.env)

    def idle_nodes(self):
        p = subprocess.run(["sinfo", "-h", "-t", "idle", "-o", "%D"],
                           env=self.env, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
        return int(p.stdout.strip() or 0) if p.returncode == 0 else 0

    def used(self):
        """Processor seconds by component."""
        return {c: g.used_s() for c, g in self.groups.items()}

    @property
    def clients(self):
        return self.groups["client"]

    def reset_count(self):
        self.command("sdiag", "-r")

    def finished(self, jobs):
        count = dict(line.split(":")[:2] for line in
                     self.command("sdiag").splitlines()
                     if line.startswith(("Jobs completed:", "Jobs failed:")))
        if int(count["Jobs failed"]):
            raise BenchError(f"{count['Jobs failed']} jobs failed in Slurm")
        return int(count["Jobs completed"]) >= jobs

    def submit_words(self, script):
        return ["sbatch", "-Q", "-o", "/dev/null", script]

    def array_words(self, script, n):
        return ["sbatch", "-Q", "-o", "/dev/null", f"--array=1-{n}", script]


def run():
    p = argparse.ArgumentParser(description="A tuned Slurm to compare with.")
    p.add_argument("verb", choices=("up", "down", "run"))
    p.add_argument("--nodes", type=int, default=4)
    p.add_argument("command", nargs=argparse.REMAINDER)
    a = p.parse_args()
    slurm = Slurm(a.nodes)
    if a.verb == "up":
        slurm.up()
        print(f"up; SLURM_CONF={slurm.conf}")
    elif a.verb == "down":
        slurm.down()
    else:
        sys.exit(subprocess.call(a.command, env={**os.environ, **slurm.env}))


if __name__ == "__main__":
    main(run)
