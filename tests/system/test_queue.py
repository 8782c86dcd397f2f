# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits: holds, dependencies, arrays, reasons, refusals."""
import time

from harness import wait_for


def fill(cluster, folder):
    """A job on every processor."""
    job = cluster.sub('-n', '6', script='sleep 73.5', cwd=folder)
    cluster.wait_state(job, 'running')
    return job


def test_held_job_waits_until_released(cluster, folder):
    job = cluster.sub('--hold', script='true', cwd=folder)
    info = cluster.job(job)
    assert info['state'] == 'pending'
    assert info['reason'] == 'Held', info
    cluster.run('omrelease', str(job)).ok()
    cluster.wait_state(job, 'completed')


def test_begin_time_is_waited_for(cluster, folder):
    start = time.time()
    job = cluster.sub('--begin=now+2', script='true', cwd=folder)
    assert cluster.job(job)['state'] == 'pending'
    info = cluster.wait_state(job, 'completed')
    assert info['start_time'] >= start + 1


def test_dependency_on_success(cluster, folder):
    first = cluster.sub('--hold', script='true', cwd=folder)
    second = cluster.sub(f'--dependency=afterok:{first}', '-o', 'x',
                         script='echo ran', cwd=folder)
    assert cluster.job(second)['state'] == 'pending'
    cluster.run('omrelease', str(first)).ok()
    info = cluster.wait_state(second, 'completed')
    assert info['start_time'] >= cluster.job(first)['end_time']


def test_dependency_that_became_impossible_is_told(cluster, folder):
    first = cluster.sub('--hold', script='exit 1', cwd=folder)
    second = cluster.sub(f'--dependency=afterok:{first}', script='true',
                         cwd=folder)
    cluster.run('omrelease', str(first)).ok()
    cluster.wait_state(first, 'failed')

    def told():
        info = cluster.job(second)
        return info['state'] == 'cancelled' or \
            'never' in (info['reason'] or '').lower()
    wait_for(told, 'the second job to be told that it never starts')
    assert cluster.job(second)['state'] in ('pending', 'cancelled')


def test_dependency_that_is_impossible_already_is_refused(cluster, folder):
    first = cluster.sub('-o', '/dev/null', script='exit 1', cwd=folder)
    cluster.wait_state(first, 'failed')
    result = cluster.run('omsub', f'--dependency=afterok:{first}', '--wrap',
                         'true', cwd=folder)
    assert result.code == 1
    assert str(first) in result.err and 'never' in result.err


def test_dependencies_on_failure_and_on_any_end(cluster, folder):
    first = cluster.sub('--hold', script='exit 1', cwd=folder)
    notok = cluster.sub(f'--dependency=afternotok:{first}', script='true',
                        cwd=folder)
    anyend = cluster.sub(f'--dependency=afterany:{first}', script='true',
                         cwd=folder)
    cluster.run('omrelease', str(first)).ok()
    cluster.wait_state(notok, 'completed')
    cluster.wait_state(anyend, 'completed')


def test_singletons_run_one_after_the_other(cluster, folder):
    jobs = [cluster.sub('--dependency=singleton', '--job-name=one',
                        script='sleep 0.3', cwd=folder) for _ in range(3)]
    infos = [cluster.wait_state(j, 'completed') for j in jobs]
    for before, after in zip(infos, infos[1:]):
        assert after['start_time'] >= before['end_time']


def test_array_tasks_have_their_own_index_and_output(cluster, folder):
    job = cluster.sub('--array=1-9:2', '-o', 'o-%A-%a', cwd=folder,
                      script='echo $OM_ARRAY_INDEX $OM_ARRAY_MIN '
                      '$OM_ARRAY_MAX $OM_ARRAY_COUNT $OM_ARRAY_ID')
    cluster.wait_quiet()
    names = {p.name for p in folder.glob('o-*')}
    assert names == {f'o-{job}-{k}' for k in (1, 3, 5, 7, 9)}
    for k in (1, 3, 5, 7, 9):
        assert (folder / f'o-{job}-{k}').read_text() == f'{k} 1 9 5 {job}\n'


def test_array_runs_no_more_at_a_time_than_its_limit(cluster, folder):
    cluster.sub('--array=1-6%2', '-o', '/dev/null', cwd=folder, script='''
mkdir run.$OM_ARRAY_INDEX
ls -d run.* | wc -l >>counts
sleep 0.3
rmdir run.$OM_ARRAY_INDEX''')
    cluster.wait_quiet()
    counts = [int(n) for n in (folder / 'counts').read_text().split()]
    assert len(counts) == 6
    assert max(counts) <= 2


def test_one_task_of_an_array_is_cancelled_alone(cluster, folder):
    job = cluster.sub('--array=1-4', '--hold', '-o', 'o-%a', script='true',
                      cwd=folder)
    cluster.run('omcancel', f'{job}_3').ok()
    cluster.run('omrelease', str(job)).ok()
    cluster.wait_quiet()
    assert {p.name for p in folder.glob('o-*')} == {'o-1', 'o-2', 'o-4'}


def test_array_of_a_hundred_thousand_is_one_quick_submit(cluster, folder):
    start = time.monotonic()
    job = cluster.sub('--array=1-100000', '--hold', script='true', cwd=folder)
    assert time.monotonic() - start < 1
    assert len(cluster.jobs()) == 1
    cluster.run('omcancel', str(job)).ok()
    cluster.wait_quiet()


def test_why_tells_each_reason_with_numbers(cluster, folder):
    fill(cluster, folder)
    job = cluster.sub('-n', '4', script='true', cwd=folder)
    wait_for(lambda: cluster.job(job)['reason'], 'a reason')
    out = cluster.run('omq', '--why', str(job)).ok().out
    assert '4' in out
    assert cluster.job(job)['state'] == 'pending'


def test_what_can_never_run_is_refused_with_the_most_there_is(cluster, folder):
    result = cluster.run('omsub', '-n', '1000', '--wrap', 'true', cwd=folder)
    assert result.code == 1
    assert '1000' in result.err and '6' in result.err, result
    result = cluster.run('omsub', '-N', '9', '--wrap', 'true', cwd=folder)
    assert result.code == 1
    assert '9' in result.err and '3' in result.err, result
    result = cluster.run('omsub', '-p', 'mian', '--wrap', 'true', cwd=folder)
    assert result.code == 1
    assert 'main' in result.err, result
    result = cluster.run('omsub', '-p', 'brief', '-t', '1:00:00', '--wrap',
                         'true', cwd=folder)
    assert result.code == 1, result
    assert not cluster.jobs()


def test_wrong_options_are_usage_errors_with_the_nearest(cluster, folder):
    result = cluster.run('omsub', '--ntasks=1', '--nodez=3', '--wrap', 'true',
                         cwd=folder)
    assert result.code == 2
    assert '--nodes' in result.err
    assert cluster.run('omsub', '-t', 'soon', '--wrap', 'true',
                       cwd=folder).code == 2


def test_test_only_submits_nothing(cluster, folder):
    result = cluster.run('omsub', '--test-only', '--wrap', 'true',
                         cwd=folder).ok()
    assert 'start' in result.out + result.err
    assert not cluster.jobs()


def test_short_job_is_filled_in_before_a_large_one_that_waits(cluster, folder):
    first = cluster.sub('-n', '5', '-t', '1:00', script='sleep 4', cwd=folder)
    cluster.wait_state(first, 'running')
    large = cluster.sub('-n', '6', '-t', '5:00', script='true', cwd=folder)
    wait_for(lambda: cluster.job(large)['reason'], 'a reason')
    small = cluster.sub('-n', '1', '-t', '1s', script='true', cwd=folder)
    cluster.wait_state(small, 'completed')
    assert cluster.job(large)['state'] == 'pending'
    info = cluster.wait_state(large, 'completed')
    assert cluster.job(small)['start_time'] < info['start_time']


def test_exclusive_job_shares_no_node(cluster, folder):
    job = cluster.sub('--exclusive', '-N', '1', script='sleep 74.5', cwd=folder)
    node = cluster.wait_state(job, 'running')['nodelist']
    others = [cluster.sub('-o', f'o{i}', script='hostname', cwd=folder)
              for i in range(4)]
    for i, other in enumerate(others):
        cluster.wait_state(other, 'completed')
        assert (folder / f'o{i}').read_text().strip() != node


def test_cluster_mask_and_lists_are_honoured(cluster, folder):
    for option, node in (('--nodelist=n2', 'n2'), ('--exclude=n1,n2', 'n3'),
                         ('--cluster-mask=n[1-3],!n1,!n3', 'n2')):
        job = cluster.sub(option, script='true', cwd=folder)
        assert cluster.wait_state(job, 'completed')['nodelist'] == node, option


def test_nothing_runs_twice_on_the_same_processor(cluster, folder):
    for _ in range(12):
        cluster.sub('-c', '2', '-o', '/dev/null', cwd=folder, script='''
mkdir busy.$(hostname) || echo $(hostname) >>twice
sleep 0.1
rmdir busy.$(hostname)''')
    cluster.wait_quiet()
    assert not (folder / 'twice').exists()
