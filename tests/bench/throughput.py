#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of a script that calls true, from the first submit to the last job's
end: by one client, by eight clients, and as one array; in openMosix and in
Slurm on four nodes each, and what the bare machine does with the script. All
in one run, as ratios. Processor time counts everything a system runs: its
daemons, munged, its commands and the jobs themselves."""
import argparse
import os
import time

from benchkit import (Busy, Table, bare_machine, find_program, main, many,
                      wait_for)

CASES = (("1 client", 1, False), ("8 clients", 8, False), ("array", 1, True))


def measure(system, jobs, clients, array, args):
    """Returns (jobs/s, ms a job, {component: ms a job}, submits/s, share of
    the machine that others took)."""
    spawn_rate = find_program(args.build, "spawn_rate")
    system.reset_count()
    used = system.used()
    busy, begin = Busy(), time.monotonic()
    if array:
        words = system.array_words(args.script, jobs)
        submit_s = many(spawn_rate, system.clients, 1, 1, words, system.env)
    else:
        words = system.submit_words(args.script)
        submit_s = many(spawn_rate, system.clients, jobs, clients, words,
                        system.env)
    wait_for(lambda: system.finished(jobs), args.limit,
             f"{jobs} jobs to end in {system.name}", every=0.1)
    took = time.monotonic() - begin
    now = system.used()
    ms = {c: 1e3 * (now[c] - used[c]) / jobs for c in now}
    others = busy.others_share(sum(ms.values()) * jobs / 1e3)
    return (jobs / took, sum(ms.values()), ms,
            (1 if array else jobs) / submit_s, others)


def detail(result):
    parts = " + ".join(f"{c} {v:.2f}" for c, v in result[2].items())
    return (f"ms a job: {parts}; submits {result[3]:.0f}/s; others had "
            f"{100 * result[4]:.0f} % of the machine")


def compare(table, systems, bare, args):
    rates = {}
    for label, clients, array in CASES:
        if label not in args.cases:
            continue
        for system in systems:
            rates[(system.name, label)] = r = measure(
                system, args.jobs, clients, array, args)
            base = rates.get(("Slurm", label))
            ours = system.name == "openMosix"
            table.add(f"{system.name}, {label}", r[0], "jobs/s",
                      r[0] / base[0] if ours and base else None, "Slurm",
                      ("ratio", ">=", 5) if ours and base else None)
            table.add(f"{system.name}, {label}, processor", r[1], "ms/job",
                      r[1] / bare, "the bare machine",
                      ("value", "<=", 3) if ours else None)
            table.note(detail(r))


def run():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("-n", "--jobs", type=int, default=5000)
    p.add_argument("--cases", default=[c[0] for c in CASES],
                   type=lambda s: s.split(","))
    p.add_argument("--systems", default="slurm,openmosix")
    p.add_argument("--build", default=os.environ.get("OM_BUILD", "."),
                   help="where openMosix was built, or its prefix")
    p.add_argument("--script", default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "true.sh"))
    p.add_argument("--limit", type=float, default=600,
                   help="seconds for one case at most")
    p.add_argument("--json")
    args = p.parse_args()
    table = Table(f"throughput, {args.jobs} jobs of {os.path.basename(args.script)}",
                  args.json)
    bare = bare_machine(find_program(args.build, "spawn_rate"),
                        max(500, args.jobs // 4))
    for (mode, threads), (rate, ms) in bare.items():
        table.add(f"bare machine, {mode}, {threads} at a time", rate, "jobs/s")
        table.add(f"bare machine, {mode}, {threads} at a time, processor", ms,
                  "ms/job")
    base = min(ms for (mode, _), (_, ms) in bare.items() if mode == "cgroup")
    systems = []
    try:
        if "slurm" in args.systems:
            from peer_slurm import Slurm
            systems.append(Slurm())
            systems[-1].up()
        if "openmosix" in args.systems:
            from om_cluster import OpenMosix
            systems.append(OpenMosix(args.build))
            systems[-1].up()
        compare(table, systems, base, args)
        table.end()
    finally:
        for system in systems:
            system.down()


if __name__ == "__main__":
    main(run)
