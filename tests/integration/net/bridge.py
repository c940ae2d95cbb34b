"""Joins an Ethernet tap and a stream of frames (length in 4 bytes before each, RFC-order), in the
network namespace that it is started in. Of the frames in either direction, one in LOSS is lost; 0: none.
usage: bridge.py STREAM_FD TAP MAC MTU LOSS
"""

import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 2, 0x1000


def main():
    stream = socket.socket(fileno=int(sys.argv[1]))
    name, mac, mtu, loss = sys.argv[2:6]
    chance = random.Random(1)

    def lost():
        return loss != "0" and chance.randrange(int(loss)) == 0

    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    for words in (["ip", "link", "set", "lo", "up"],
                  ["ip", "link", "set", name, "address", mac, "mtu", mtu, "up"]):
        subprocess.run(words, check=True)
    print("ready", flush=True)
    pending = b""
    while True:
        readable, _, _ = select.select([stream, tap], [], [])
        if tap in readable:
            frame = os.read(tap, 70000)
            if not lost():
                stream.sendall(len(frame).to_bytes(4, "big") + frame)
        if stream in readable:
            data = stream.recv(1 << 18)
            if not data:
                return
            pending += data
            while len(pending) >= 4:
                length = int.from_bytes(pending[:4], "big")
                if len(pending) < 4 + length:
                    break
                try:
                    if not lost():
                        os.write(tap, pending[4:4 + length])
                except OSError:
                    pass  # the interface is down
                pending = pending[4 + length:]


if __name__ == "__main__":
    main()
