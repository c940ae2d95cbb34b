"""Small servers and clients for network tests, each a process of its own in whichever namespace it
is started in. usage: peers.py WHAT ARGUMENT... They print one line when they are ready.
"""

import hashlib
import random
import socket
import sys
import time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def pseudo_random(seed, total):
    generator = random.Random(seed)
    while total > 0:
        length = min(total, 1 << 20)
        yield generator.randbytes(length)
        total -= length


def say(*words):
    print(*words, flush=True)


def listen(address, port, kind=socket.SOCK_STREAM):
    server = socket.socket(family(address), kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind((address, int(port)))
    if kind == socket.SOCK_STREAM:
        server.listen(16)
    say("ready")
    return server


def tcp_serve(address, port):
    """Each client's first line: `send SEED BYTES`, `take`, or a word that is sent back."""
    server = listen(address, port)
    while True:
        client, peer = server.accept()
        with client, client.makefile("rwb") as stream:
            words = stream.readline().split()
            say("from", peer[0], *(word.decode() for word in words))
            if words and words[0] == b"send":
                for block in pseudo_random(int(words[1]), int(words[2])):
                    stream.write(block)
            elif words and words[0] == b"take":
                digest = hashlib.sha256()
                while block := stream.read(1 << 20):
                    digest.update(block)
                stream.write(digest.hexdigest().encode() + b"\n")
            else:
                stream.write(b"echo " + b" ".join(words) + b"\n")
            try:
                stream.flush()
            except OSError:
                pass


def tcp_connect(address, port):
    client = socket.create_connection((address, int(port)), timeout=20)
    client.settimeout(60)
    return client


def tcp_ask(address, port, word):
    with tcp_connect(address, port) as client, client.makefile("rwb") as stream:
        stream.write(word.encode() + b"\n")
        stream.flush()
        say(stream.readline().decode().strip())


def tcp_fetch(address, port, seed, total):
    with tcp_connect(address, port) as client:
        client.sendall(f"send {seed} {total}\n".encode())
        digest = hashlib.sha256()
        while block := client.recv(1 << 20):
            digest.update(block)
        say(digest.hexdigest())


def tcp_give(address, port, seed, total):
    with tcp_connect(address, port) as client:
        client.sendall(b"take\n")
        for block in pseudo_random(int(seed), int(total)):
            client.sendall(block)
        client.shutdown(socket.SHUT_WR)
        say(client.makefile().readline().strip())


def tcp_echo(address, port):
    """Sends back what comes, for one client at a time."""
    server = listen(address, port)
    while True:
        client, _ = server.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client:
            while data := client.recv(4096):
                client.sendall(data)


def tcp_round_trips(address, port, seconds):
    """How many there are in so many seconds."""
    end = time.monotonic() + float(seconds)
    count = 0
    with tcp_connect(address, port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < end:
            client.sendall(b"x")
            client.recv(1)
            count += 1
    say(count)


def udp_serve(address, port):
    server = listen(address, port, socket.SOCK_DGRAM)
    while True:
        data, peer = server.recvfrom(70000)
        say("from", peer[0], len(data))
        server.sendto(data, peer)


def udp_ask(address, port, total):
    with socket.socket(family(address), socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        data = random.Random(1).randbytes(int(total))
        for _ in range(5):
            try:
                client.sendto(data, (address, int(port)))
                answer, _ = client.recvfrom(70000)
            except OSError:
                continue
            say("same" if answer == data else "different")
            return
        say("nothing")


def dns_serve(address, port, answer):
    """Answers each question for an IPv4 address with the one."""
    server = listen(address, port, socket.SOCK_DGRAM)
    while True:
        question, peer = server.recvfrom(2000)
        end = question.index(b"\0", 12) + 5
        say("from", peer[0], question[12:end - 4])
        is_a = question[end - 4:end - 2] == b"\0\1"
        reply = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
        reply += question[12:end]
        if is_a:
            reply += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(answer)
        server.sendto(reply, peer)


def dns_ask(address, name):
    question = b"\x12\x34\1\0\0\1\0\0\0\0\0\0"
    question += b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question += b"\0\0\1\0\1"
    with socket.socket(family(address), socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        for _ in range(5):
            client.sendto(question, (address, 53))
            try:
                say(socket.inet_ntoa(client.recv(2000)[-4:]))
                return
            except OSError:
                continue
        say("nothing")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
