# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes fail, lose their network, are drained, and come back."""
from harness import wait_for


def start_on(cluster, folder, node, *args, script='sleep 75.5'):
    job = cluster.sub(f'--nodelist={node}', *args, script=script, cwd=folder)
    cluster.wait_state(job, 'running')
    return job


def nodes(cluster):
    return {n['name']: n for n in
            cluster.json('omnode', 'list', user='root')['nodes']}


def test_crashed_node_fails_its_job_and_is_told_down(cluster, folder):
    job = start_on(cluster, folder, 'n2')
    cluster.verb('crash', 'n2')
    info = cluster.wait_over(job)
    assert info['state'] == 'node-fail'
    assert 'n2' in (info['reason_text'] or ''), info
    assert nodes(cluster)['n2']['state'].startswith('down')
    cluster.verb('restart', 'n2')
    cluster.wait_nodes()
    job = start_on(cluster, folder, 'n2', script='sleep 0.1')
    cluster.wait_state(job, 'completed')


def test_restarted_node_removes_what_lost_jobs_left(cluster, folder):
    job = start_on(cluster, folder, 'n2')
    spool = cluster.folder / 'nodes/n2/spool/openmosix/job'
    wait_for(lambda: (spool / str(job) / 'script').exists(), 'the script')
    cluster.verb('crash', 'n2')
    assert (spool / str(job)).exists()
    cluster.verb('restart', 'n2')
    cluster.wait_nodes()
    assert not (spool / str(job)).exists()
    cluster.wait_state(job, 'node-fail')


def test_job_that_may_be_requeued_runs_again_elsewhere(cluster, folder):
    job = cluster.sub('--requeue', '-o', 'x', '--open-mode=append', cwd=folder,
                      script='''hostname >>began
echo $OM_RESTART_COUNT
while [ ! -e go ]; do sleep 0.05; done''')
    node = cluster.wait_state(job, 'running')['nodelist']
    wait_for(lambda: (folder / 'began').exists(), 'the script to begin')
    cluster.verb('crash', node)
    wait_for(lambda: len((folder / 'began').read_text().split()) == 2,
             'the script to begin again', 30)
    (folder / 'go').touch()
    info = cluster.wait_state(job, 'completed')
    assert info['restarts'] == 1
    assert info['nodelist'] != node
    assert (folder / 'x').read_text().split()[-1] == '1'


def test_job_goes_on_when_the_cable_is_back_in_time(cluster, folder):
    job = start_on(cluster, folder, 'n1', script='''
while [ ! -e go ]; do sleep 0.05; done
exit 6''')
    cluster.verb('cut', 'n1')
    cluster.verb('heal', 'n1')
    (folder / 'go').touch()
    assert cluster.wait_over(job)['exit_code'] == 6


def test_exit_of_a_cut_node_arrives_after_healing(cluster, folder):
    job = start_on(cluster, folder, 'n1', script='''
while [ ! -e go ]; do sleep 0.05; done
exit 6''')
    cluster.verb('cut', 'n1')
    (folder / 'go').touch()
    wait_for(lambda: not cluster.job_processes('sleep 0.05', ['n1']),
             'the script to end')
    cluster.verb('heal', 'n1')
    assert cluster.wait_over(job)['exit_code'] == 6


def test_node_cut_for_long_kills_what_was_given_up(cluster, folder):
    job = cluster.sub('--requeue', cwd=folder,
                      script='hostname >>began; sleep 76.5')
    node = cluster.wait_state(job, 'running')['nodelist']
    wait_for(lambda: cluster.job_processes('sleep 76.5'), 'the script to begin')
    cluster.verb('cut', node)
    wait_for(lambda: len((folder / 'began').read_text().split()) == 2,
             'the job to begin elsewhere', 30)
    assert cluster.job_processes('sleep 76.5', [node])
    cluster.verb('heal', node)
    wait_for(lambda: not cluster.job_processes('sleep 76.5', [node]),
             'the old incarnation to be killed')
    info = cluster.job(job)
    assert info['state'] == 'running'
    assert len(cluster.job_processes('sleep 76.5', [info['nodelist']])) == 1


def test_drained_node_takes_nothing_new_and_keeps_its_reason(cluster, folder):
    job = start_on(cluster, folder, 'n1')
    cluster.run('omnode', 'drain', 'n1', '--reason=bad fan', user='root').ok()
    node = nodes(cluster)['n1']
    assert node['state'].startswith('drain')
    assert node['reason'] == 'bad fan'
    for _ in range(6):
        assert cluster.wait_state(cluster.sub(script='true', cwd=folder),
                                  'completed')['nodelist'] != 'n1'
    # the job that was there goes on, and so does the reason
    assert cluster.job(job)['state'] == 'running'
    cluster.kill_daemon('omctld')
    wait_for(lambda: nodes(cluster)['n1']['state'].startswith('drain'),
             'n1 to be known again')
    node = nodes(cluster)['n1']
    assert node['reason'] == 'bad fan'
    assert node['reason_user'] == 'root'
    cluster.run('omcancel', str(job)).ok()
    cluster.wait_over(job)
    cluster.run('omnode', 'undrain', 'n1', user='root').ok()
    cluster.wait_nodes()


def test_drain_waits_until_the_node_is_empty(cluster, folder):
    job = start_on(cluster, folder, 'n1', script='''
while [ ! -e go ]; do sleep 0.05; done''')
    drain = cluster.popen('omnode', 'drain', 'n1', '--reason=test', '--wait',
                          user='root')
    wait_for(lambda: nodes(cluster)['n1']['drain'], 'n1 to drain')
    assert drain.poll() is None
    (folder / 'go').touch()
    cluster.wait_state(job, 'completed')
    assert drain.wait(20) == 0


def test_drain_survives_the_restart_of_its_node(cluster):
    cluster.run('omnode', 'drain', 'n2', '--reason=memory', user='root').ok()
    cluster.verb('restart', 'n2')
    wait_for(lambda: nodes(cluster)['n2']['state'].startswith('drain') and
             'down' not in nodes(cluster)['n2']['state'], 'n2 to be back', 30)
    assert nodes(cluster)['n2']['reason'] == 'memory'


def test_nodes_report_what_they_are(cluster):
    for node in nodes(cluster).values():
        assert node['cpus'] == 2
        assert node['speed'] > 0
        assert node['memory_bytes'] > 1 << 26
