# SPDX-License-Identifier: GPL-3.0-or-later
"""MPI programs start from a job with nothing told to mpirun."""
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import TOP, wait_for

MPI = TOP / 'tests' / 'mpi'


def build(compiler, source, target):
    subprocess.run([compiler, '-O1', '-o', target, MPI / source], check=True,
                   capture_output=True)
    return target


@pytest.fixture(scope='module')
def programs(users):
    folder = Path('/home/omtest1/mpi')
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for kind in ('openmpi', 'mpich'):
        build(f'mpicc.{kind}', 'mpi_ring.c', folder / f'ring.{kind}')
        build(f'mpicc.{kind}', 'mpi_hello.c', folder / f'hello.{kind}')
    yield folder
    shutil.rmtree(folder)


def batch(cluster, folder, script, *args, deadline=60):
    job = cluster.sub('-o', 'out', *args, script=script, cwd=folder)
    info = cluster.wait_over(job, deadline)
    text = (folder / 'out').read_text()
    assert info['state'] == 'completed', f'{info}\n{text}'
    return text


def test_plain_mpirun_uses_the_nodes_and_slots_of_the_job(cluster, folder,
                                                          programs):
    text = batch(cluster, folder, f'mpirun hostname; mpirun {programs}/ring.openmpi',
                 '-n', '6', '-N', '3')
    hosts = [line for line in text.splitlines() if line in ('n1', 'n2', 'n3')]
    assert sorted(hosts) == ['n1', 'n1', 'n2', 'n2', 'n3', 'n3'], text


def test_mpirun_in_an_allocation(cluster, folder, programs):
    result = cluster.run('omalloc', '-n', '4', '-N', '2', 'mpirun', 'hostname',
                         cwd=folder)
    assert len(set(result.ok().out.split())) == 2
    assert len(result.out.split()) == 4


def test_mpirun_is_killed_with_its_job(cluster, folder, programs):
    job = cluster.sub('-n', '4', '-N', '2', script='mpirun sleep 81.5',
                      cwd=folder)
    cluster.wait_state(job, 'running')
    wait_for(lambda: len(cluster.job_processes('sleep 81.5')) >= 4, 'the ranks')
    cluster.run('omcancel', str(job)).ok()
    cluster.wait_over(job)
    assert not cluster.job_processes('sleep 81.5')
    assert not cluster.job_processes('orted')


def test_ranks_are_in_the_jobs_cgroup(cluster, folder):
    text = batch(cluster, folder, 'mpirun cat /proc/self/cgroup', '-n', '2',
                 '-N', '2')
    assert text.count('/job_') >= 2, text


def test_exit_code_of_mpirun_is_the_jobs(cluster, folder):
    job = cluster.sub('-n', '2', '-N', '2', '-o', 'out',
                      script="mpirun sh -c 'exit 3'", cwd=folder)
    assert cluster.wait_over(job)['exit_code'] == 3


def test_mpich_uses_the_nodes_and_slots_of_the_job(cluster, folder):
    text = batch(cluster, folder, 'mpiexec.mpich hostname', '-n', '4', '-N', '2')
    hosts = [line for line in text.splitlines() if line in ('n1', 'n2', 'n3')]
    assert len(hosts) == 4 and len(set(hosts)) == 2, text


def test_mpich_program_runs_over_the_nodes(cluster, folder, programs):
    """Up to its last line. Debian's MPICH 4.0.2 (ch4:ucx) now and then hangs in
    MPI_Finalize over TCP when two ranks connect to each other at once, under
    any launcher: what comes after that line is not ours to test."""
    job = cluster.sub('-n', '4', '-N', '2', '-o', 'out', cwd=folder,
                      script=f'mpiexec.mpich {programs}/ring.mpich 3')
    wait_for(lambda: (folder / 'out').exists() and
             'ring ok 4' in (folder / 'out').read_text(), 'the ring to pass',
             60)
    cluster.run('omcancel', '--quiet', str(job))
    assert cluster.wait_over(job)['state'] in ('completed', 'cancelled')
    assert not cluster.job_processes('ring.mpich')


def test_mpi4py_works(cluster, folder):
    (folder / 'sum.py').write_text('''
from mpi4py import MPI
c = MPI.COMM_WORLD
total = c.allreduce(c.rank + 1)
if c.rank == 0:
    print("total", total, "of", c.size)
''')
    text = batch(cluster, folder, 'mpirun /usr/bin/python3 sum.py', '-n', '4',
                 '-N', '2')
    assert 'total 10 of 4' in text


@pytest.mark.slow
def test_linpack_passes_its_own_check(cluster, folder):
    shutil.copy(MPI / 'hpccinf.txt', folder)
    batch(cluster, folder, 'mpirun hpcc', '-n', '4', '-N', '2', deadline=240)
    text = (folder / 'hpccoutf.txt').read_text()
    assert 'PASSED' in text and 'Success=1' in text
