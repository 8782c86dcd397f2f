# SPDX-License-Identifier: GPL-3.0-or-later
"""omrun and omalloc: commands, their stdio, signals and exit codes."""
import os
import signal

from harness import wait_for


def test_exit_code_and_output_come_through(cluster, folder):
    result = cluster.run('omrun', 'sh', '-c', 'echo out; echo err >&2; exit 3',
                         cwd=folder)
    assert (result.code, result.out) == (3, 'out\n'), result
    assert 'err\n' in result.err


def test_signal_of_the_command_is_the_exit_code(cluster, folder):
    assert cluster.run('omrun', 'sh', '-c', 'kill -TERM $$',
                       cwd=folder).code == 128 + signal.SIGTERM


def test_standard_input_comes_through(cluster, folder):
    text = ''.join(f'line {i}\n' for i in range(20000))
    result = cluster.run('omrun', 'md5sum', cwd=folder, stdin=text)
    import hashlib
    assert result.ok().out.split()[0] == hashlib.md5(text.encode()).hexdigest()


def test_large_output_comes_through_whole(cluster, folder):
    out = cluster.run('omrun', 'seq', '300000', cwd=folder).ok().out
    assert out.count('\n') == 300000
    assert out.endswith('300000\n')


def test_tasks_know_their_ranks(cluster, folder):
    out = cluster.run('omrun', '-n', '4', '-N', '2', 'sh', '-c',
                      'echo $OM_PROCID $OM_NODENAME $OM_LOCALID $OM_NTASKS',
                      cwd=folder).ok().out
    rows = sorted(line.split() for line in out.splitlines())
    assert [r[0] for r in rows] == ['0', '1', '2', '3']
    assert len({r[1] for r in rows}) == 2
    assert all(r[3] == '4' for r in rows)


def test_daemons_are_numbered_in_the_order_of_their_list(cluster, folder):
    out = cluster.run('omalloc', '-N', '3', 'omrun', '--daemons',
                      '--nodelist=n3,n1,n2', '--', 'sh', '-c',
                      'echo $OM_PROCID $OM_NODENAME', cwd=folder).ok().out
    assert sorted(out.splitlines()) == ['0 n3', '1 n1', '2 n2']


def test_interrupt_ends_the_command(cluster, folder):
    client = cluster.popen('omrun', 'sleep', '79.5', cwd=folder, stdin=-3,
                           stdout=-1, stderr=-1)
    wait_for(lambda: cluster.job_processes('sleep 79.5'), 'the command')
    os.kill(client.pid, signal.SIGINT)
    wait_for(lambda: client.poll() is not None, 'omrun to end')
    assert client.returncode != 0
    wait_for(lambda: not cluster.job_processes('sleep 79.5'),
             'the command to end')
    cluster.wait_quiet()


def test_client_that_is_killed_takes_its_command_along(cluster, folder):
    client = cluster.popen('omrun', 'sleep', '80.5', cwd=folder, stdin=-3,
                           stdout=-3, stderr=-3)
    wait_for(lambda: cluster.job_processes('sleep 80.5'), 'the command')
    client.kill()
    client.wait()
    wait_for(lambda: not cluster.job_processes('sleep 80.5'),
             'the command to end', 30)


def test_command_lives_through_the_death_of_omctld(cluster, folder):
    client = cluster.popen('omrun', 'sh', '-c',
                           'while [ ! -e go ]; do sleep 0.05; done; echo done',
                           cwd=folder, stdin=-3, stdout=-1, stderr=-1)
    wait_for(lambda: cluster.job_processes('while [ ! -e go'), 'the command')
    cluster.kill_daemon('omctld')
    (folder / 'go').touch()
    out, err = client.communicate(timeout=60)
    assert client.returncode == 0, err
    assert out == 'done\n'


def test_steps_of_a_job_use_its_nodes(cluster, folder):
    job = cluster.sub('-n', '4', '-N', '2', '-o', 'x', cwd=folder,
                      script='omrun hostname; omrun -n 1 false; echo $?')
    info = cluster.wait_state(job, 'completed')
    lines = (folder / 'x').read_text().split()
    assert lines[-1] == '1'
    assert len(lines) == 5 and len(set(lines[:4])) == 2
    assert len(info['steps']) >= 3


def test_allocation_runs_its_command_and_ends(cluster, folder):
    result = cluster.run('omalloc', '-N', '2', '-n', '2', 'sh', '-c',
                         'echo $OM_NNODES; omrun hostname; exit 4', cwd=folder)
    assert result.code == 4, result
    assert result.out.split()[0] == '2'
    assert len(set(result.out.split()[1:])) == 2
    cluster.wait_quiet()


def test_pty_is_a_terminal(cluster, folder):
    result = cluster.run('omrun', '--pty', 'sh', '-c', 'tty; exit 2', cwd=folder)
    assert result.code == 2, result
    assert '/dev/pts/' in result.out


def test_missing_command_says_so(cluster, folder):
    result = cluster.run('omrun', '/no/such/command', cwd=folder)
    assert result.code not in (0, 75)
    assert '/no/such/command' in result.err
