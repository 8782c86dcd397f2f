# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster for all tests; each test gets a folder and leaves no job."""
import os
import re
import shutil
from pathlib import Path

import pytest

from harness import Cluster, make_user, user_ids


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: only with ./check --long')


@pytest.fixture(scope='session')
def users():
    make_user('omtest1', 'omgroup')
    make_user('omtest2')
    make_user('omtest3')


@pytest.fixture(scope='session')
def session_cluster(users):
    c = Cluster('check', '10.197.0.0/24', nodes=3,
                options=('--cpus=2', '--cpu-share=200'))
    c.down()
    try:
        c.up()
        yield c
    finally:
        if os.environ.get('OM_KEEP'):
            print(f'kept: OM_CONF={c.conf}')
        else:
            keep_logs(c)
            c.down()


def keep_logs(c):
    """Where ./check keeps all logs."""
    to = Path(os.environ.get('OM_LOGS', '/tmp')) / f'cluster-{c.name}'
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(c.folder / 'log', to)


@pytest.fixture
def cluster(session_cluster):
    """The session's cluster; afterwards as it was before."""
    c = session_cluster
    yield c
    for node in c.status()['nodes']:
        if node['power'] == 'off':
            c.verb('restart', node['name'])
        elif node['power'] == 'cut':
            c.verb('heal', node['name'])
    if c.jobs():
        c.run('omcancel', '--state=pending,configuring,running,suspended,completing',
              '--quiet', user='root')
        c.wait_quiet()
    for node in c.status()['nodes']:
        if node['state'].startswith('drain'):
            c.run('omnode', 'undrain', node['name'], user='root').ok()
    c.wait_nodes()


@pytest.fixture
def folder(request, users):
    """A folder of omtest1's, seen by every node."""
    pw, _ = user_ids('omtest1')
    name = re.sub(r'\W+', '-', request.node.name)[:80]
    path = Path(pw.pw_dir) / 'tests' / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    os.chown(path.parent, pw.pw_uid, pw.pw_gid)
    os.chown(path, pw.pw_uid, pw.pw_gid)
    yield path
    shutil.rmtree(path, ignore_errors=True)
