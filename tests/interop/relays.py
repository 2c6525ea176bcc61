# SPDX-License-Identifier: Apache-2.0
"""`linnet turn` for tests, a certificate for it and for others, coturn's test client, and what holds of a call that passes
a relay."""
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


@contextlib.contextmanager
def neighbours(host):
    """UDP sockets at two ports, one behind the other: coturn's client sends RTP to the first and RTCP to the second. Gives
    the first port, and the sockets."""
    for first in range(21000, 22000, 2):
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)]
            try:
                for number, sock in enumerate(sockets):
                    sock.bind((host, first + number))
            except OSError:
                continue
            yield first, sockets
            return
    raise AssertionError("no two free ports")


def turnutils(host, port, *options, credentials=("-u", "u", "-w", "p"), messages=10, clients=2):
    """Runs coturn's client (package coturn): its exit code, what it said, and the command."""
    command = ["timeout", "-k", "1", "60", "turnutils_uclient", *options, "-p", str(port), *credentials, "-n", str(messages),
               "-m", str(clients), host]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        text = done.stdout + done.stderr
        # It draws the numbers of an allocation's two channels at random: one in 16,384 has the same twice, which
        # RFC 8656, 12.2 answers with 400, and it gives up.
        if "channel bind: error 400" not in text:
            break
    return done.returncode, text, command


def all_came_back(code, text, command, at_least):
    """So many messages that coturn's client sent; nothing of them may be lost."""
    assert code == 0, (command, text[-2000:])
    totals = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", text)
    assert totals, text[-2000:]
    sent, received = map(int, totals[-1])
    assert sent >= at_least and received == sent, (sent, received, text[:4000], text[-2000:])
    return sent


def metrics(port):
    """All that the server counts, as it says it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def by_transport(metrics_port, name):
    """What the server counts under this name, by the transport of its clients."""
    return {transport: int(value)
            for transport, value in re.findall(rf'{name}{{transport="(\w+)"}} (\d+)', metrics(metrics_port))}


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
