# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full, under omctld and under a job."""
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import Cluster, wait_for


@pytest.fixture
def small(users):
    """A cluster of one node whose state lies on a disk of 3 MiB."""
    tmp_path = tempfile.mkdtemp(prefix='omtest-', dir='/run')
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m,mode=0755', 'none',
                    tmp_path], check=True)
    c = Cluster('disk', '10.197.3.0/24', nodes=1, conf='',
                options=(f'--state={tmp_path}/state',))
    try:
        c.up()
        yield c, tmp_path
    finally:
        c.down()
        subprocess.run(['umount', '-l', tmp_path], check=True)
        os.rmdir(tmp_path)


def fill(path):
    """Writes until the disk is full; the file to remove again."""
    ballast = Path(path) / 'ballast'
    size = 1 << 16
    with open(ballast, 'ab', buffering=0) as f:
        while size:
            try:
                f.write(bytes(size))
            except OSError:
                size //= 2
    return ballast


def test_full_disk_refuses_promises_and_loses_nothing(small, folder):
    cluster, disk = small
    kept = [cluster.sub('--hold', f'--job-name=kept{i}', script='true',
                        cwd=folder) for i in range(5)]
    ballast = fill(disk)
    # large ones: what is free within the files is soon used up
    (folder / 'large').write_text('#!/bin/sh\n' + '# filler\n' * 60000)
    answers = [cluster.run('omsub', '--parsable', '--hold', '--timeout=1',
                           'large', cwd=folder) for _ in range(4)]
    promised = [int(a.out) for a in answers if a.code == 0]
    assert any(a.code != 0 for a in answers), answers
    assert all(a.err for a in answers if a.code != 0)
    ballast.unlink()
    wait_for(lambda: cluster.run('omctl', 'ping', '--timeout=2').code == 0,
             'omctld to be back', 30)
    known = {j['job_id'] for j in cluster.jobs()}
    assert known >= set(kept) | set(promised)
    cluster.run('omcancel', *map(str, kept), user='root').ok()
    job = cluster.sub('-o', '/dev/null', script='exit 3', cwd=folder)
    assert cluster.wait_over(job)['exit_code'] == 3


def test_job_whose_end_meets_a_full_disk_ends_once(small, folder):
    cluster, disk = small
    job = cluster.sub('-o', '/dev/null', cwd=folder, script='''
echo began >>began
while [ ! -e go ]; do sleep 0.05; done
exit 5''')
    cluster.wait_state(job, 'running')
    wait_for(lambda: (folder / 'began').exists(), 'the script to begin')
    ballast = fill(disk)
    (folder / 'go').touch()
    wait_for(lambda: not cluster.job_processes('sleep 0.05', ['n1']),
             'the script to end')
    ballast.unlink()

    def ended():
        result = cluster.run('omq', '--json', '--timeout=2', str(job))
        return result.code == 0 and '"failed"' in result.out
    wait_for(ended, 'the job to be told over', 30)
    assert cluster.job(job)['exit_code'] == 5
    assert (folder / 'began').read_text() == 'began\n'
