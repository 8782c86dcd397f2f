# SPDX-License-Identifier: GPL-3.0-or-later
"""A random mix of jobs and faults; OM_SOAK_SEED and OM_SOAK_SECONDS repeat
one. What it does and what it looks for is in soak.py."""
import os
import random

import pytest

from harness import Cluster
from soak import Soak


@pytest.fixture
def big(users):
    """A cluster of its own: daemons are counted and measured."""
    c = Cluster('soak', '10.197.4.0/24', nodes=4,
                options=('--cpus=2', '--cpu-share=200'))
    c.down()
    try:
        c.up()
        yield c
    finally:
        if not os.environ.get('OM_KEEP'):
            c.down()


def balance(soak):
    wrong = soak.run()
    print(soak.report())
    assert not wrong, '\n'.join([soak.report(), *wrong])


def test_a_short_soak_balances(big, folder):
    balance(Soak(big, folder, 'short', 45, pace=2))


@pytest.mark.slow
@pytest.mark.parametrize('pace', [1, 4])
def test_nothing_is_lost_or_twice_or_left(big, folder, pace):
    seed = os.environ.get('OM_SOAK_SEED') or random.randrange(1 << 30)
    seconds = float(os.environ.get('OM_SOAK_SECONDS', 150))
    balance(Soak(big, folder, seed, seconds, pace=pace))
