# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol by hand, as a stranger would speak it: see types.h."""
import os
import socket
import struct
import subprocess

HELLO, AUTH, WELCOME, REPLY, PING = 1, 2, 3, 10, 11
SUBMIT, JOB_LIST = 20, 22
NODE_REGISTER, STEP_EXIT = 80, 85
CLIENT, NODE = 1, 2


def varint(n):
    out = b''
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A protobuf field: bytes, text or number."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def fields(data):
    """The numbers and values of a message (no groups, no fixed sizes)."""
    def take():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return n
    at, found = 0, {}
    while at < len(data):
        key = take()
        if key & 7 == 2:
            size = take()
            found[key >> 3] = data[at:at + size]
            at += size
        else:
            found[key >> 3] = take()
    return found


def frame(kind, body=b'', ident=1, length=None):
    return struct.pack('>III', len(body) if length is None else length, kind,
                       ident) + body


class Wire:
    def __init__(self, cluster, tcp=False):
        if tcp:
            self.sock = socket.create_connection(
                (cluster.status()['network'].rsplit('.', 1)[0] + '.254',
                 cluster.status()['port']), timeout=15)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(15)
            self.sock.connect(str(cluster.folder / 'run' / 'omctld.sock'))
        self.munge_socket = cluster.folder / 'munge' / 'munge.socket'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                return None
            data += more
        return data

    def receive(self):
        """(type, id, body), or None when the other end hung up."""
        try:
            head = self.read(12)
            if head is None:
                return None
            length, kind, ident = struct.unpack('>III', head)
            return kind, ident, self.read(length)
        except ConnectionResetError:
            return None

    def hung_up(self):
        """Nothing but an error's Reply comes before the end."""
        while True:
            message = self.receive()
            if message is None:
                return True
            if message[0] != REPLY:
                return False

    def hello(self):
        kind, _, body = self.receive()
        assert kind == HELLO
        return fields(body)

    def credential(self, hello, role=CLIENT, uid=None, nonce=None):
        payload = (field(1, hello[1]) + field(2, hello[2]) +
                   field(3, nonce or hello[3]) + field(4, os.urandom(16)) +
                   field(5, os.urandom(32)) + field(6, 0) + field(7, role))
        return subprocess.run(
            ['munge', f'--socket={self.munge_socket}'], input=payload, check=True,
            capture_output=True, user=uid).stdout.decode().strip()

    def login(self, role=CLIENT, uid=None):
        cred = self.credential(self.hello(), role, uid)
        self.send(frame(AUTH, field(1, cred)))
        return cred
