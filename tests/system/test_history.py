# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounting: what omhist tells of jobs that are over."""
import time


def test_every_job_is_in_the_history_with_its_use(cluster, folder):
    job = cluster.sub('--job-name=busy', '-o', '/dev/null', cwd=folder,
                      script='timeout 0.6 sh -c "while :; do :; done"; true')
    cluster.wait_state(job, 'completed')
    info = cluster.history('--job', str(job))[0]
    assert info['usage']['user_s'] + info['usage']['system_s'] > 0.2
    assert info['user'] == 'omtest1'
    assert info['nodelist'] in ('n1', 'n2', 'n3')


def test_job_is_answerable_right_after_submit(cluster, folder):
    for _ in range(5):
        job = cluster.sub('-o', '/dev/null', script='true', cwd=folder)
        assert cluster.job(job)['job_id'] == job


def test_array_is_found_by_its_number_and_by_a_task(cluster, folder):
    job = cluster.sub('--array=0-4', '-o', '/dev/null',
                      script='exit $OM_ARRAY_INDEX', cwd=folder)
    cluster.wait_quiet()
    tasks = cluster.history('--job', str(job))
    assert {t['array_index']: t['exit_code'] for t in tasks} == \
        {k: k for k in range(5)}
    one = cluster.history('--job', f'{job}_3')
    assert len(one) == 1 and one[0]['exit_code'] == 3


def test_history_answers_quickly(cluster, folder):
    job = cluster.sub('-o', '/dev/null', script='true', cwd=folder)
    cluster.wait_state(job, 'completed')
    times = []
    for _ in range(5):
        start = time.monotonic()
        cluster.run('omhist', '--job', str(job)).ok()
        times.append(time.monotonic() - start)
    assert min(times) < 0.1
