# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's clock is moved by an hour, either way."""
import shutil

import pytest

from harness import OMCLUSTER, PREFIX, Cluster, wait_for

FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'


@pytest.fixture
def moved(users, tmp_path_factory):
    """A cluster whose omctld takes its wall clock's error from a file."""
    top = tmp_path_factory.mktemp('clock')
    top.chmod(0o755)
    for parent in top.parents[:2]:
        parent.chmod(0o755)
    offset = top / 'offset'
    offset.write_text('+0')
    offset.chmod(0o644)
    shutil.copy(OMCLUSTER, top / 'omcluster')
    (top / 'omnoded').symlink_to(PREFIX / 'sbin' / 'omnoded')
    (top / 'omctld').write_text(f'''#!/bin/sh
export LD_PRELOAD={FAKETIME} FAKETIME_TIMESTAMP_FILE={offset}
export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
exec {PREFIX}/sbin/omctld "$@"
''')
    (top / 'omctld').chmod(0o755)
    c = Cluster('clock', '10.197.4.0/24', nodes=1, conf='node_timeout = 5s\n',
                omcluster=top / 'omcluster')
    try:
        c.up()
        yield c, offset
    finally:
        c.down()


@pytest.mark.parametrize('jump', ['+1h', '-1h'])
def test_clock_that_jumps_ends_no_job_and_loses_no_node(moved, folder, jump):
    cluster, offset = moved
    job = cluster.sub('-t', '10:00', '-o', '/dev/null', cwd=folder, script='''
while [ ! -e go ]; do sleep 0.05; done
exit 5''')
    cluster.wait_state(job, 'running')
    offset.write_text(jump)
    # work goes on, and more than once round the controller's timers
    for _ in range(5):
        other = cluster.sub('-c', '1', '-o', '/dev/null', '--begin=now',
                            script='true', cwd=folder)
        cluster.run('omcancel', str(other), '--quiet')
    assert cluster.job(job)['state'] == 'running'
    assert cluster.status()['nodes'][0]['state'] in ('mixed', 'allocated')
    (folder / 'go').touch()
    info = cluster.wait_over(job)
    assert (info['state'], info['exit_code']) == ('failed', 5)
    assert info['elapsed_s'] is None or info['elapsed_s'] >= 0
