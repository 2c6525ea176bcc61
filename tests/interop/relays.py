# SPDX-License-Identifier: Apache-2.0
"""`linnet turn` for tests, a certificate for it and for others, and what holds of a call that passes a relay."""
import atexit
import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.request

from support import LINNET, has_picture, has_tone, stats_of


def certificate():
    """A self-signed one for this machine, made just now: the paths of it and of its key."""
    place = tempfile.mkdtemp(prefix="linnet-certificate-")
    atexit.register(shutil.rmtree, place)
    files = [os.path.join(place, name) for name in ("cert.pem", "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.77.0.2",
                    "-days", "2", "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def tls_options():
    files = certificate()
    return "--tls-cert", files[0], "--tls-key", files[1]


def free_port(kind=socket.SOCK_DGRAM):
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def turn_server(*more, host="127.0.0.1", port=0):
    """The server at this address; gives its ports by transport."""
    process = subprocess.Popen(
        [LINNET, "turn", "--listen", f"{host}:{port}", "--user", "u:p", "--realm", "ex", "--secret", "north",
         "--allow-peer", "127.0.0.0/8", *more],
        stdout=subprocess.PIPE, text=True)
    ports = {}
    try:
        for line in process.stdout:
            match = re.search(r"turn:[\d.]+:(\d+)\?transport=(udp|tcp)", line)
            if match:
                ports[match.group(2)] = int(match.group(1))
            if "Ctrl-C" in line:
                break
        yield ports
    finally:
        process.kill()
        process.wait()


def by_transport(metrics_port, name):
    """What the server counts under this name, by the transport of its clients."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {transport: int(value) for transport, value in re.findall(rf'{name}{{transport="(\w+)"}} (\d+)', text)}


def only_relayed(pair, *parties):
    """These have told no candidate that is not a relay's: gives the addresses and ports that they told."""
    told = set()
    for party in parties:
        for message in pair.signalled[party]:
            for line in re.findall(r"candidate:\S.*", (message.get("sdp") or "") + (message.get("candidate") or "")):
                assert " typ relay " in line, line
                told.add(tuple(line.split()[4:6]))
    return told


def passes(pair, hertz=440):
    """A message, there and back, a picture and a tone: what we see then."""
    pair.opened(pair.linnet)
    pair.linnet.send({"channel": "chat", "data": "through"})
    pair.wait(pair.linnet, lambda m: m.get("data") == "through")
    return pair.until(has_picture, lambda s: has_tone(s, hertz))


def selected(stats):
    """The two candidates of the pair in use."""
    used = stats_of(stats, "candidate-pair", nominated=True)[0]
    return [next(s for s in stats if s["id"] == used[end]) for end in ("localCandidateId", "remoteCandidateId")]
