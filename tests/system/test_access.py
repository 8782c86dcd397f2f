# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what; files that are not safe; munge that is away."""
import os
import signal

from harness import alive, wait_for


def test_job_of_another_may_not_be_touched(cluster, folder):
    job = cluster.sub('--hold', script='true', cwd=folder)
    for command in (['omcancel'], ['omrelease'], ['omhold']):
        result = cluster.run(*command, str(job), user='omtest3')
        assert result.code == 1, result
        assert 'omtest' in result.err or 'not' in result.err, result
    assert cluster.job(job)['state'] == 'pending'


def test_operator_may_cancel_the_jobs_of_others(cluster, folder):
    job = cluster.sub('--hold', script='true', cwd=folder)
    cluster.run('omcancel', str(job), user='omtest2').ok()
    assert cluster.wait_over(job)['state'] == 'cancelled'


def test_user_may_not_drain_and_operator_may(cluster):
    result = cluster.run('omnode', 'drain', 'n1', '--reason=x', user='omtest3')
    assert result.code == 1, result
    assert not any(n['state'].startswith('drain')
                   for n in cluster.status()['nodes'])
    cluster.run('omnode', 'drain', 'n1', '--reason=x', user='omtest2').ok()
    cluster.run('omnode', 'undrain', 'n1', user='omtest2').ok()


def test_user_may_not_change_settings(cluster):
    result = cluster.run('omctl', 'set', 'max_jobs=1', user='omtest2')
    assert result.code == 1, result
    cluster.run('omctl', 'ping').ok()


def test_step_in_the_job_of_another_is_refused(cluster, folder):
    job = cluster.sub(script='sleep 77.5', cwd=folder)
    cluster.wait_state(job, 'running')
    result = cluster.run('omrun', f'--job={job}', 'id', user='omtest3',
                         cwd='/')
    assert result.code != 0
    assert 'uid=' not in result.out


def test_configuration_that_others_can_write_is_refused(cluster, folder):
    path = cluster.folder / 'conf.d' / 'test.conf'
    os.chmod(path, 0o666)
    try:
        result = cluster.run('omq')
        assert result.code == 1
        assert str(path) in result.err and 'chmod' in result.err, result
    finally:
        os.chmod(path, 0o644)


def test_state_that_others_can_read_is_refused(cluster):
    state = cluster.folder / 'state' / 'state.db'
    os.chmod(state, 0o644)
    pid = cluster.daemon('omctld')
    try:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: f'{state} is open to others' in cluster.log('omctld'),
                 'omctld to refuse its state')
        assert 'chmod 0600' in cluster.log('omctld')
    finally:
        os.chmod(state, 0o600)
    wait_for(lambda: cluster.run('omctl', 'ping', '--timeout=1').code == 0,
             'omctld to be back')


def test_state_folder_is_closed_to_others_whatever_it_was(cluster):
    state = cluster.folder / 'state'
    os.chmod(state, 0o777)
    cluster.kill_daemon('omctld')
    cluster.run('omctl', 'ping').ok()
    assert state.stat().st_mode & 0o777 == 0o700


def test_submit_waits_for_munge_and_goes_through(cluster, folder):
    pid = cluster.daemon('munged')
    os.kill(pid, signal.SIGSTOP)
    client = cluster.popen('omsub', '--parsable', '-o', 'x', '--wrap', 'true',
                           cwd=folder, stdout=-1, stderr=-1)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: cluster.daemon('munged') not in (None, pid),
             'munged to be back')
    out, err = client.communicate(timeout=60)
    assert client.returncode == 0, err
    cluster.wait_state(int(out), 'completed')


def test_without_munge_commands_say_so_and_ask_to_try_again(cluster):
    # the socket goes, the daemon stays: as if munged hung
    path = cluster.folder / 'munge' / 'munge.socket'
    hidden = path.with_name('hidden')
    os.rename(path, hidden)
    try:
        result = cluster.run('omq', '--timeout=1')
        assert result.code == 75, result
        assert 'munge' in result.err, result
    finally:
        os.rename(hidden, path)
    cluster.run('omq').ok()


def test_jobs_go_on_while_munge_is_away(cluster, folder):
    job = cluster.sub(script='''
while [ ! -e go ]; do sleep 0.05; done
exit 8''', cwd=folder)
    cluster.wait_state(job, 'running')
    pid = cluster.daemon('munged')
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), 'munged to die')
    (folder / 'go').touch()
    assert cluster.wait_over(job)['exit_code'] == 8


def test_user_files_are_opened_with_the_users_rights(cluster, folder):
    # a link to a file that only root may write
    target = folder / 'target'
    target.write_text('untouched')
    os.chmod(target, 0o600)
    os.chown(target, 0, 0)
    os.symlink(target, folder / 'out')
    job = cluster.sub('-o', 'out', script='echo overwritten', cwd=folder)
    assert cluster.wait_over(job)['state'] in ('failed', 'boot-fail')
    assert target.read_text() == 'untouched'
