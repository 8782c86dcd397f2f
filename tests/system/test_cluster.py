# SPDX-License-Identifier: GPL-3.0-or-later
"""omcluster itself."""
import os
import subprocess
from pathlib import Path

import pytest

from harness import OMCLUSTER, Cluster, processes


def omcluster(*args):
    return subprocess.run([OMCLUSTER, *args], text=True, capture_output=True,
                          check=False, timeout=60)


def test_up_again_changes_nothing(cluster):
    before = [cluster.init(f'n{i + 1}') for i in range(3)]
    out = cluster.up().out
    assert 'already' in out
    assert [cluster.init(f'n{i + 1}') for i in range(3)] == before


def test_settings_that_contradict_are_refused(cluster):
    result = cluster.verb('up', '--node=n1:cpus=7', check=False)
    assert result.code == 1
    assert 'n1' in result.err


def test_exec_gives_the_exit_code_and_the_node(cluster):
    assert cluster.exec('n2', 'hostname').out == 'n2\n'
    assert cluster.exec('n2', 'sh', '-c', 'exit 9', check=False).code == 9
    assert cluster.exec('n2', 'sh', '-c', 'kill -9 $$', check=False).code == 137
    assert cluster.exec('n1', 'id', '-un', user='omtest1').out == 'omtest1\n'
    assert cluster.exec('n1', '/no/such', check=False).code == 127


def test_nodes_are_apart(cluster):
    cluster.exec('n1', 'sh', '-c', 'echo x >/tmp/mine; echo x >/dev/shm/mine')
    for folder in ('/tmp', '/dev/shm'):
        assert 'mine' not in cluster.exec('n2', 'ls', folder).out
    assert not Path('/tmp/mine').exists()
    ids = {cluster.exec(f'n{i + 1}', 'cat',
                        '/proc/sys/kernel/random/boot_id').out
           for i in range(3)}
    assert len(ids) == 3
    assert cluster.exec('n1', 'cat', '/proc/1/comm').out == 'omcluster-init\n'


def test_node_that_was_restarted_is_empty_and_has_another_boot_id(cluster):
    before = cluster.exec('n1', 'cat', '/proc/sys/kernel/random/boot_id').out
    cluster.exec('n1', 'touch', '/tmp/old', '/var/spool/kept')
    cluster.verb('restart', 'n1')
    assert 'old' not in cluster.exec('n1', 'ls', '/tmp').out
    assert 'kept' in cluster.exec('n1', 'ls', '/var/spool').out
    assert before != cluster.exec('n1', 'cat',
                                  '/proc/sys/kernel/random/boot_id').out


def test_share_of_processor_time_is_kept(cluster):
    """A node with a quarter of a processor gets a quarter of one."""
    c = Cluster('share', '10.197.1.0/24', nodes=1, conf='',
                options=('--cpu-share=25',))
    try:
        c.up()
        out = c.exec('n1', 'python3', '-c', '''
import time
end = time.monotonic() + 2
while time.monotonic() < end: pass
print(time.process_time())
''').out
        assert float(out) < 0.8
    finally:
        c.down()


def test_network_in_use_is_refused_and_nothing_stays(cluster):
    result = omcluster('up', '1', '--name=clash', '--network=10.197.0.0/24')
    assert result.returncode == 1
    assert '10.197.0.0/24' in result.stderr and '--network' in result.stderr
    assert not Path('/run/openmosix/cluster-clash').exists()
    assert not Path('/sys/class/net/omc-clash').exists()


@pytest.mark.parametrize('args', [
    ('up', 'many'), ('up', '0'), ('up', '254'), ('up', '1', '2'),
    ('up', '--network=10.0.0.0/8'), ('up', '--cpus=none'), ('up', '--nmae=x'),
    ('down', 'n1'), ('exec', 'n1'), ('fly',), ('up', '--name=UPPER'), (),
])
def test_wrong_usage_is_exit_2(args):
    name = () if any('--name' in a for a in args) else ('--name=usage',)
    result = omcluster(*args, *name) if args else omcluster()
    assert result.returncode in (1, 2) if args[:1] == ('exec',) else \
        result.returncode == 2, result


def test_down_of_nothing_is_no_error():
    result = omcluster('down', '--name=nothing')
    assert result.returncode == 0
    assert omcluster('status', '--name=nothing').returncode == 1


def traces(name):
    """Whatever of a cluster there is on this machine."""
    found = [p for p in Path('/sys/fs/cgroup').glob(f'**/cluster-{name}')]
    found += Path('/run/openmosix').glob(f'cluster-{name}')
    found += Path('/sys/class/net').glob(f'om{name}.*')
    found += Path('/sys/class/net').glob(f'omc-{name}')
    found += [line for line in Path('/proc/mounts').read_text().splitlines()
              if f'cluster-{name}' in line]
    found += [p for p in processes().values()
              if f'cluster-{name}' in p[2] or f'--name={name}' in p[2]]
    return found


def test_down_leaves_nothing_behind(users):
    c = Cluster('gone', '10.197.2.0/24', nodes=2, conf='')
    c.down()
    try:
        c.up()
        assert len(traces('gone')) > 10
        script = '#!/bin/sh\nsetsid sleep 78.5 & sleep 78.5\n'
        subprocess.run(['rm', '-rf', '/home/omtest1/gone'], check=True)
        os.mkdir('/home/omtest1/gone')
        os.chown('/home/omtest1/gone', *(2 * [Path('/home/omtest1').stat().st_uid]))
        job = c.sub(script=script, cwd='/home/omtest1/gone')
        c.wait_state(job, 'running')
        c.verb('cut', 'n1')
        c.verb('crash', 'n2')
    finally:
        c.down()
    assert traces('gone') == []
    assert not [p for p in processes().values() if 'sleep 78.5' in p[2]]
