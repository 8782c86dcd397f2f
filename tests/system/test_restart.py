# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons are killed under running jobs: nothing is lost, nothing is twice."""
import os
import random
import signal
import subprocess
import time

import pytest

from harness import alive, wait_for

# Says that it began, ends with a code of its own when told to.
SCRIPT = '''echo began >>began.$OM_JOB_ID
while [ ! -e go ]; do sleep 0.05; done
exit 5'''


def began(folder, job):
    path = folder / f'began.{job}'
    return path.read_text().split() if path.exists() else []


def start(cluster, folder, *args):
    job = cluster.sub(*args, script=SCRIPT, cwd=folder)
    wait_for(lambda: began(folder, job), f'job {job} to begin')
    return job


def finish(cluster, folder, *jobs):
    (folder / 'go').touch()
    for job in jobs:
        info = cluster.wait_over(job)
        assert (info['state'], info['exit_code']) == ('failed', 5), info
        assert began(folder, job) == ['began']


def test_jobs_live_through_the_death_of_omctld(cluster, folder):
    job = start(cluster, folder)
    waiting = cluster.sub('--hold', script=SCRIPT, cwd=folder)
    cluster.kill_daemon('omctld')
    start_ = time.monotonic()
    cluster.run('omctl', 'ping', user='root').ok()
    assert time.monotonic() - start_ < 2
    assert cluster.job(job)['state'] == 'running'
    assert cluster.job(waiting)['state'] == 'pending'
    cluster.wait_nodes('mixed', [cluster.job(job)['nodelist']])
    cluster.run('omrelease', str(waiting)).ok()
    finish(cluster, folder, job, waiting)


def test_exit_arrives_that_happened_while_omctld_was_away(cluster, folder):
    job = start(cluster, folder)
    # stopped: it takes no message, and its keeper does not start another
    pid = cluster.daemon('omctld')
    os.kill(pid, signal.SIGSTOP)
    (folder / 'go').touch()
    wait_for(lambda: not cluster.job_processes(f'job_{job}') and
             not cluster.job_processes('sleep 0.05'), 'the script to end')
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), 'omctld to be gone')
    finish(cluster, folder, job)


def test_jobs_live_through_the_death_of_omnoded(cluster, folder):
    job = start(cluster, folder)
    node = cluster.job(job)['nodelist']
    cluster.kill_daemon('omnoded', node)
    cluster.wait_nodes('mixed', [node])
    assert cluster.job(job)['state'] == 'running'
    finish(cluster, folder, job)


def test_exit_arrives_that_happened_while_omnoded_was_away(cluster, folder):
    job = start(cluster, folder)
    node = cluster.job(job)['nodelist']
    pid = cluster.daemon('omnoded', node)
    os.kill(pid, signal.SIGSTOP)
    (folder / 'go').touch()
    wait_for(lambda: not cluster.job_processes('sleep 0.05', [node]),
             'the script to end')
    os.kill(pid, signal.SIGKILL)
    finish(cluster, folder, job)


def test_exit_arrives_when_the_step_daemon_is_killed(cluster, folder):
    job = start(cluster, folder)
    node = cluster.job(job)['nodelist']
    table = cluster.node_processes(node)
    inits = {cluster.init(node), cluster.daemon('omnoded', node)}
    steps = [pid for pid, (name, parent, _) in table.items()
             if name.startswith('omstepd') and parent not in inits]
    assert steps, table
    for pid in steps:
        os.kill(pid, signal.SIGKILL)
    finish(cluster, folder, job)


def test_all_daemons_die_at_once(cluster, folder):
    jobs = [start(cluster, folder) for _ in range(3)]
    pids = [cluster.daemon('omctld')]
    pids += [cluster.daemon('omnoded', f'n{i + 1}') for i in range(3)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    finish(cluster, folder, *jobs)


def test_omalloc_that_asked_why_it_waits_is_told_of_its_nodes(cluster, folder):
    """Its question makes a connection anew, with a descriptor as before."""
    job = start(cluster, folder, '--nodelist=n1', '--exclusive')
    alloc = cluster.popen('omalloc', '--nodelist=n1', 'true', cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: cluster.jobs('--state=pending'), 'omalloc to wait')
    asks = time.monotonic() + 1.5	# after a second
    pid = cluster.daemon('omctld')
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: time.monotonic() > asks, 'the question')
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: cluster.daemon('omctld') not in (None, pid),
             'omctld to be back')
    finish(cluster, folder, job)
    _, err = alloc.communicate(timeout=30)
    assert alloc.returncode == 0, err


def test_orderly_restart_of_the_daemons_is_not_noticed(cluster, folder):
    job = start(cluster, folder)
    cluster.kill_daemon('omctld', signo=signal.SIGTERM)
    cluster.kill_daemon('omnoded', cluster.job(job)['nodelist'],
                        signo=signal.SIGTERM)
    finish(cluster, folder, job)


def test_submits_under_repeated_kills_run_exactly_once(cluster, folder):
    script = folder / 'job.sh'
    script.write_text('#!/bin/sh\necho $OM_JOB_ID >>ran\n')
    clients = [cluster.popen('omsub', '--parsable', '-o', '/dev/null', script,
                             cwd=folder, stdout=-1, stderr=-1)
               for _ in range(40)]
    for _ in range(3):
        pid = wait_for(lambda: cluster.daemon('omctld'), 'omctld to be there')
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda p=pid: cluster.daemon('omctld') not in (None, p),
                 'omctld to be back')
    ids = []
    for client in clients:
        out, err = client.communicate(timeout=60)
        assert client.returncode == 0, err
        ids.append(int(out))
    cluster.wait_quiet()
    assert len(set(ids)) == 40
    ran = sorted(int(n) for n in (folder / 'ran').read_text().split())
    assert ran == sorted(ids)


def test_cancel_while_omnoded_is_away_is_done_when_it_is_back(cluster, folder):
    job = start(cluster, folder)
    node = cluster.job(job)['nodelist']
    pid = cluster.daemon('omnoded', node)
    os.kill(pid, signal.SIGSTOP)
    cluster.run('omcancel', str(job)).ok()
    os.kill(pid, signal.SIGKILL)
    assert cluster.wait_over(job)['state'] == 'cancelled'
    assert not cluster.job_processes('sleep 0.05', [node])


def test_history_is_there_after_a_restart(cluster, folder):
    job = cluster.sub('--job-name=remembered', '-o', '/dev/null',
                      script='exit 4', cwd=folder)
    cluster.wait_over(job)
    cluster.kill_daemon('omctld')
    info = cluster.history('--job', str(job))
    assert len(info) == 1
    assert info[0]['name'] == 'remembered'
    assert info[0]['exit_code'] == 4
    assert info[0]['end_time'] >= info[0]['start_time'] >= info[0]['submit_time']


@pytest.mark.slow
def test_a_storm_of_kills_loses_nothing(cluster, folder):
    seed = random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    job = cluster.sub('--array=1-300', '-o', '/dev/null', cwd=folder,
                      script='echo $OM_ARRAY_INDEX >>ran; sleep 0.1')
    end = time.monotonic() + 120
    while cluster.jobs() and time.monotonic() < end:
        name, node = rng.choice([('omctld', None)] +
                                [('omnoded', f'n{i + 1}') for i in range(3)])
        pid = cluster.daemon(name, node)
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda p=pid: not alive(p), f'{name} to die')
        cluster.run('omctl', 'ping', user='root').ok()
    cluster.wait_quiet(60)
    ran = sorted(int(n) for n in (folder / 'ran').read_text().split())
    assert ran == list(range(1, 301))
    assert cluster.history('--job', str(job))
