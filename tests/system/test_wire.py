# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed, truncated, oversized, replayed and forged messages."""
import os
import random
import select

import pytest

from harness import user_ids
from wire import (AUTH, HELLO, JOB_LIST, NODE, NODE_REGISTER, PING, STEP_EXIT,
                  SUBMIT, WELCOME, Wire, field, frame)


@pytest.fixture(autouse=True)
def omctld_lives_on(cluster):
    before = cluster.daemon('omctld')
    yield
    assert cluster.daemon('omctld') == before
    cluster.run('omctl', 'ping').ok()


@pytest.fixture(params=['unix', 'tcp'])
def wire(request, cluster):
    with Wire(cluster, tcp=request.param == 'tcp') as w:
        yield w


def test_stranger_with_a_credential_is_let_in(wire):
    wire.login()
    assert wire.receive()[0] == WELCOME
    wire.send(frame(PING, ident=7))
    kind, ident, _ = wire.receive()
    assert (kind, ident) == (PING + 1, 7)


def test_without_a_credential_nothing_is_answered(wire):
    wire.hello()
    wire.send(frame(PING))
    assert wire.hung_up()


@pytest.mark.parametrize('junk', [
    b'GET / HTTP/1.1\r\n\r\n', b'\0' * 64, b'\xff' * 64,
    frame(AUTH, length=0xffffffff), frame(AUTH, length=1 << 20),
    frame(0xdeadbeef), frame(HELLO, b''), frame(AUTH, b''),
    frame(AUTH, b'\xff' * 100), frame(AUTH, field(1, 'MUNGE:nonsense:')),
    frame(AUTH, field(1, 'x' * 9000)),
])
def test_junk_ends_the_connection(wire, junk):
    wire.hello()
    wire.send(junk)
    assert wire.hung_up()


def test_forged_credential_is_refused(wire):
    cred = wire.credential(wire.hello())
    middle = len(cred) // 2
    forged = cred[:middle] + ('A' if cred[middle] != 'A' else 'B') + \
        cred[middle + 1:]
    wire.send(frame(AUTH, field(1, forged)))
    assert wire.hung_up()


def test_replayed_credential_is_refused(cluster, wire):
    cred = wire.login()
    assert wire.receive()[0] == WELCOME
    with Wire(cluster) as again:
        again.hello()
        again.send(frame(AUTH, field(1, cred)))
        assert again.hung_up()


def test_credential_for_another_connection_is_refused(wire):
    hello = wire.hello()
    cred = wire.credential(hello, nonce=os.urandom(16))
    wire.send(frame(AUTH, field(1, cred)))
    assert wire.hung_up()


def test_user_who_says_he_is_a_node_is_refused(wire):
    uid = user_ids('omtest1')[0].pw_uid
    wire.login(role=NODE, uid=uid)
    assert wire.hung_up()


def test_client_may_not_speak_as_a_node(wire):
    wire.login()
    assert wire.receive()[0] == WELCOME
    wire.send(frame(NODE_REGISTER, b''))
    assert wire.hung_up()


def test_client_may_not_report_the_end_of_a_step(wire):
    wire.login()
    assert wire.receive()[0] == WELCOME
    wire.send(frame(STEP_EXIT, field(1, 1) + field(2, 0) + field(3, 1)))
    assert wire.hung_up()


@pytest.mark.parametrize('body', [
    b'', b'\xff' * 30, field(1, b'short'), field(3, b'\0' * 100),
    field(1, os.urandom(16)) + field(2, b'\xff\xff') + field(3, b''),
])
def test_malformed_body_is_refused(wire, body):
    wire.login()
    assert wire.receive()[0] == WELCOME
    wire.send(frame(SUBMIT, body))
    message = wire.receive()
    assert message is None or message[0] == 10, message


def test_oversized_body_is_refused_before_it_has_come(wire):
    wire.login()
    assert wire.receive()[0] == WELCOME
    wire.send(frame(JOB_LIST, length=0x7fffffff))
    assert wire.hung_up()


def test_connection_that_stops_in_the_middle_is_no_harm(cluster):
    for cut in (0, 5, 12, 20):
        with Wire(cluster) as w:
            cred = w.credential(w.hello())
            w.send(frame(AUTH, field(1, cred))[:cut])


def test_random_bytes_are_no_harm(cluster):
    seed = random.randrange(1 << 30)
    print('seed', seed)
    rng = random.Random(seed)
    for _ in range(30):
        with Wire(cluster) as w:
            w.login()
            w.receive()
            try:
                for _ in range(5):
                    w.send(frame(rng.choice([11, 20, 22, 24, 26, 28, 31, 40, 43,
                                             50, 52, 60, 62]),
                                 rng.randbytes(rng.randrange(200))))
            except (BrokenPipeError, ConnectionResetError):
                pass


def test_hundred_silent_connections_do_not_keep_others_out(cluster):
    silent = [Wire(cluster) for _ in range(100)]
    try:
        cluster.run('omq').ok()
    finally:
        for w in silent:
            w.sock.close()


def test_user_cannot_fill_the_memory_with_halves_of_messages(cluster):
    """48 submits of 8 MB that never end: those over 256 MB are cut off."""
    uid = user_ids('omtest1')[0].pw_uid
    half = frame(SUBMIT, bytes((8 << 20) - 1), length=8 << 20)
    wires = []
    try:
        for _ in range(48):
            w = Wire(cluster)
            wires.append(w)
            w.login(uid=uid)
            assert w.receive()[0] == WELCOME
            try:
                w.send(half)
            except (BrokenPipeError, ConnectionResetError):
                pass
        ended, _, _ = select.select([w.sock for w in wires], [], [], 10)
        assert ended, 'nobody was cut off'
        assert len(ended) < len(wires)
        with Wire(cluster) as other:
            other.login()
            assert other.receive()[0] == WELCOME
    finally:
        for w in wires:
            w.sock.close()
