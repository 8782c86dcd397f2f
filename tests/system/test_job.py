# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch job: how it ends, what it sees, where its output goes."""
import signal

import pytest

from harness import wait_for


@pytest.mark.parametrize('code', [0, 1, 3, 255])
def test_exit_code_of_the_script_is_that_of_the_job(cluster, folder, code):
    job = cluster.sub(script=f'exit {code}', cwd=folder)
    info = cluster.wait_over(job)
    assert info['exit_code'] == code
    assert info['state'] == ('completed' if code == 0 else 'failed')


def test_signal_that_killed_the_script_is_told(cluster, folder):
    job = cluster.sub(script='kill -USR1 $$; sleep 10', cwd=folder)
    info = cluster.wait_over(job)
    assert info['state'] == 'failed'
    assert info['exit_signal'] == signal.SIGUSR1


def test_wait_returns_the_exit_code(cluster, folder):
    assert cluster.run('omsub', '--wait', '--wrap', 'exit 7',
                       cwd=folder).code == 7
    assert cluster.run('omsub', '--wait', '--wrap', 'kill -9 $$',
                       cwd=folder).code == 128 + signal.SIGKILL
    assert cluster.run('omsub', '--wait', '--wrap', 'true', cwd=folder).code == 0


def test_output_goes_where_the_pattern_says(cluster, folder):
    job = cluster.sub('--job-name=pat', '--output=o-%j-%x-%u-%N-%%.txt',
                      script='hostname', cwd=folder)
    info = cluster.wait_state(job, 'completed')
    node = info['nodelist']
    path = folder / f'o-{job}-pat-omtest1-{node}-%.txt'
    assert path.read_text() == node + '\n'
    assert path.owner() == 'omtest1'


def test_error_output_has_its_own_file_or_goes_with_the_other(cluster, folder):
    both = 'echo out; echo err >&2'
    cluster.run('omsub', '--wait', '-o', 'a.out', '--wrap', both,
                cwd=folder).ok()
    cluster.run('omsub', '--wait', '-o', 'b.out', '-e', 'b.err', '--wrap', both,
                cwd=folder).ok()
    assert (folder / 'a.out').read_text() == 'out\nerr\n'
    assert (folder / 'b.out').read_text() == 'out\n'
    assert (folder / 'b.err').read_text() == 'err\n'


def test_output_that_cannot_be_opened_fails_the_job_with_words(cluster, folder):
    job = cluster.sub('--output=/nowhere/at/all', script='true', cwd=folder)
    info = cluster.wait_over(job)
    assert info['state'] in ('failed', 'boot-fail')
    assert '/nowhere' in (info['reason_text'] or ''), info


def test_append_keeps_what_was_there(cluster, folder):
    for text in ('one', 'two'):
        cluster.run('omsub', '--wait', '--open-mode=append', '-o', 'x',
                    '--wrap', f'echo {text}', cwd=folder).ok()
    assert (folder / 'x').read_text() == 'one\ntwo\n'


def test_script_comes_from_standard_input(cluster, folder):
    result = cluster.run('omsub', '--wait', '-o', 'x', cwd=folder,
                         stdin='#!/bin/sh\n#OM --job-name=in\necho $OM_JOB_NAME\n')
    result.ok()
    assert (folder / 'x').read_text() == 'in\n'


def test_arguments_after_the_script_reach_it(cluster, folder):
    (folder / 'args.sh').write_text('#!/bin/sh\nfor a; do echo "[$a]"; done\n')
    cluster.run('omsub', '--wait', '-o', 'x', 'args.sh', 'a b', '--wait', '',
                cwd=folder).ok()
    assert (folder / 'x').read_text() == '[a b]\n[--wait]\n[]\n'


def test_directives_count_less_than_the_command_line(cluster, folder):
    script = '#!/bin/sh\n#OM --job-name=inside --output=x\necho $OM_JOB_NAME\n'
    job = cluster.sub('--job-name=outside', script=script, cwd=folder)
    cluster.wait_state(job, 'completed')
    assert (folder / 'x').read_text() == 'outside\n'


def test_what_is_no_script_is_refused(cluster, folder):
    (folder / 'bin').write_bytes(b'\x7fELF\x02\x01\x01' + bytes(100))
    (folder / 'text').write_text('echo no interpreter named\n')
    (folder / 'empty').write_text('')
    for name in ('bin', 'text', 'empty', 'missing'):
        result = cluster.run('omsub', name, cwd=folder)
        assert result.code == 1, result
        assert 'error:' in result.err, result


def test_bad_interpreter_fails_the_job_with_words(cluster, folder):
    (folder / 'bad').write_text('#!/no/such/shell\n')
    result = cluster.run('omsub', '--wait', '--parsable', 'bad', cwd=folder)
    assert result.code not in (0, 75), result
    info = cluster.job(int(result.out))
    assert info['state'] == 'failed'
    assert 'interpreter' in info['reason_text']


def test_job_sees_its_environment(cluster, folder):
    job = cluster.sub('-o', 'env', '-n', '2', '-N', '2', '--job-name=envy',
                      script='env', cwd=folder,
                      env={'MINE': 'x y', 'SLURM_JOB_ID': '77'})
    info = cluster.wait_state(job, 'completed')
    env = dict(line.split('=', 1)
               for line in (folder / 'env').read_text().splitlines()
               if '=' in line)
    assert env['OM_JOB_ID'] == str(job)
    assert env['OM_JOB_NAME'] == 'envy'
    assert env['OM_NNODES'] == '2'
    assert env['OM_NTASKS'] == '2'
    assert env['OM_NODELIST'] == info['nodelist']
    assert env['OM_SUBMIT_DIR'] == str(folder)
    assert env['OM_CONF'] == str(cluster.conf)
    assert env['MINE'] == 'x y'
    assert env['HOME'] == '/home/omtest1'
    for name in ('OM_CPUS_ON_NODE', 'OM_CPUS_PER_TASK', 'OM_PARTITION',
                 'OM_RESTART_COUNT', 'OM_SUBMIT_HOST', 'OM_NODENAME',
                 'OM_TASKS_PER_NODE'):
        assert env.get(name), name


def test_export_chooses_the_environment(cluster, folder):
    script = 'echo "${MINE-none} ${OTHER-none}"'
    env = {'MINE': 'mine', 'OTHER': 'other'}
    for export, expected in (('NONE', 'none none'), ('MINE', 'mine none'),
                             ('MINE,OTHER=new', 'mine new')):
        job = cluster.sub(f'--export={export}', '-o', 'x', script=script,
                          cwd=folder, env=env)
        cluster.wait_state(job, 'completed')
        assert (folder / 'x').read_text().strip() == expected, export


def test_job_runs_as_its_user_with_groups_umask_and_folder(cluster, folder):
    job = cluster.sub('-o', 'x', cwd=folder,
                      script='id -un; id -Gn; umask; pwd; ulimit -c')
    cluster.wait_state(job, 'completed')
    user, groups, umask, cwd, _ = (folder / 'x').read_text().splitlines()
    assert user == 'omtest1'
    assert set(groups.split()) == {'omtest1', 'omgroup'}
    assert umask == '0022'
    assert cwd == str(folder)


def test_time_limit_ends_the_job_and_says_so(cluster, folder):
    job = cluster.sub('-t', '2s', '-o', 'x', script='sleep 61.5', cwd=folder)
    info = cluster.wait_over(job)
    assert info['state'] == 'timeout'
    last = (folder / 'x').read_text().splitlines()[-1]
    assert 'time limit' in last.lower()
    assert not cluster.job_processes('sleep 61.5')


def test_warning_signal_comes_before_the_time_limit(cluster, folder):
    script = '''trap 'echo warned; exit 9' USR1
while :; do sleep 0.1; done'''
    job = cluster.sub('-t', '6s', '--signal=B:USR1@4', '-o', 'x', script=script,
                      cwd=folder)
    info = cluster.wait_over(job)
    assert info['exit_code'] == 9
    assert 'warned' in (folder / 'x').read_text()


def test_memory_limit_ends_the_job_as_out_of_memory(cluster, folder):
    script = '''#!/usr/bin/python3
x = []
while True: x.append(bytearray(b"x") * (1 << 20))
'''
    job = cluster.sub('--mem=64M', '-o', 'x', script=script, cwd=folder)
    info = cluster.wait_over(job)
    assert info['state'] == 'out-of-memory'
    assert 'memory' in (folder / 'x').read_text().splitlines()[-1].lower()


def test_cancel_leaves_no_process(cluster, folder):
    # one that forked twice, one that minds no signal, one that hides
    script = '''#!/usr/bin/python3
import os, signal
for kind in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        if kind == 1:
            for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(s, signal.SIG_IGN)
        os.execvp("sleep", ["sleep", "71.5"])
open("ready", "w")
signal.pause()
'''
    job = cluster.sub(script=script, cwd=folder)
    wait_for(lambda: (folder / 'ready').exists() and
             len(cluster.job_processes('sleep 71.5')) == 3,
             'the processes of the job')
    cluster.run('omcancel', str(job)).ok()
    assert cluster.wait_over(job)['state'] == 'cancelled'
    assert not cluster.job_processes('sleep 71.5')


def test_job_that_ends_leaves_no_process_behind(cluster, folder):
    job = cluster.sub(script='setsid sleep 72.5 & sleep 0.2', cwd=folder)
    cluster.wait_state(job, 'completed')
    assert not cluster.job_processes('sleep 72.5')


def test_cancelled_before_it_starts_it_never_runs(cluster, folder):
    job = cluster.sub('--hold', '-o', 'x', script='echo ran', cwd=folder)
    cluster.run('omcancel', str(job)).ok()
    assert cluster.wait_over(job)['state'] == 'cancelled'
    assert not (folder / 'x').exists()


def test_spool_is_empty_after_the_job(cluster, folder):
    job = cluster.sub(script='true', cwd=folder)
    node = cluster.wait_state(job, 'completed')['nodelist']
    out = cluster.exec(node, 'find', '/var/spool/openmosix', '-name',
                       f'*{job}*').out
    assert out == ''


def test_root_may_not_submit(cluster, tmp_path):
    result = cluster.run('omsub', '--wrap', 'true', user='root', cwd=tmp_path)
    assert result.code == 1
    assert 'root' in result.err


def test_comment_and_account_are_readable_back(cluster, folder):
    job = cluster.sub('--hold', '--comment=a "b" c', '--account=acc',
                      script='true', cwd=folder)
    info = cluster.job(job)
    assert info['comment'] == 'a "b" c'
    assert info['account'] == 'acc'


def test_options_of_a_later_version_say_so(cluster, folder):
    result = cluster.run('omsub', '--hold', '--checkpoint=10', '--wrap', 'true',
                         cwd=folder).ok()
    assert 'checkpoint' in result.err
