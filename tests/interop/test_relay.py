#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`linnet turn` between `linnet peer` and what may use nothing but a relay: Pion, aiortc, GStreamer (libnice), and a
second `linnet peer`, over the transports that they have. That all of it went through the relay, by this transport, the
server's figures say."""
import contextlib
import os
from functools import partial

from relays import by_transport, certificate, free_port, only_relayed, passes, selected, turn_server
from support import Pair, peer, run_all
from test_aiortc import aiortc
from test_gst import gst
from test_pion import pion

HOST = "10.77.0.2"  # tests/support/netns; aiortc and Pion have no candidate on the loopback
URLS = {"udp": "turn:{}:{}?transport=udp", "tcp": "turn:{}:{}?transport=tcp", "tls": "turns:{}:{}?transport=tcp",
        "dtls": "turns:{}:{}?transport=udp"}
ENOUGH = 50  # packets each way: thirty pictures and a second of sound are more


@contextlib.contextmanager
def relay(transport, *more):
    """The options of who is to use it and nothing else; at the end the server must have seen this transport alone."""
    assert "LINNET_NETNS" in os.environ, "run it by tests/support/netns: the addresses are those of its network"
    files, metrics = certificate(), free_port()
    os.environ["SSL_CERT_FILE"] = files[0]  # all three trust it
    with turn_server("--allow-peer", f"{HOST}/32", "--tls-cert", files[0], "--tls-key", files[1], "--metrics", f"127.0.0.1:{metrics}",
                     *more, host=HOST) as ports:
        url = URLS[transport].format(HOST, ports["tcp" if transport in ("tcp", "tls") else "udp"])
        yield url, ("--ice-server", f"{url},u,p", "--policy", "relay")
        packets = by_transport(metrics, "linnet_turn_client_packets_total")
        sent, came = packets.pop(transport), by_transport(metrics, "linnet_turn_peer_packets_total")[transport]
        assert sent > ENOUGH and came > ENOUGH and not any(packets.values()), (sent, came, packets)


def through(start, hertz, transport, offers):
    """Another stack by relay alone, ours as it likes: what we see of it is the relay."""
    with relay(transport) as (_, options):
        ours = ["--answer"] if offers else ["--offer", "--data", "chat"]
        theirs = ["--offer", "--data"] if offers else ["--answer"]
        other = start(*theirs, "--media", *options)
        with Pair(peer(*ours, "--video", "test", "--audio", "tone"), other) as pair:
            _, remote = selected(passes(pair, hertz))
            assert (remote["address"], str(remote["port"])) in only_relayed(pair, pair.other), remote


def both_ends(transport, *more):
    """Both ends by relay alone, which is one server: it hands over in memory."""
    with relay(transport, *more) as (url, options):
        ours = peer("--offer", "--data", "chat", "--video", "test", "--audio", "tone", *options)
        with Pair(ours, peer("--answer", "--echo", "--video", "test", "--audio", "tone", *options)) as pair:
            local, remote = selected(passes(pair))
            assert local["relayProtocol"] == {"dtls": "udp"}.get(transport, transport) and local["url"] == url, local
            told = only_relayed(pair, pair.linnet, pair.other)
            for candidate in (local, remote):
                assert (candidate["address"], str(candidate["port"])) in told, candidate


class Untold:
    """Pion takes a relayed candidate for one of UDP, whatever it says: of ours of TCP it is told nothing."""

    @staticmethod
    def carry(side, message):
        if side == 0 and "tcptype" in (message.get("candidate") or ""):
            return None
        assert side == 1 or "tcptype" not in (message.get("sdp") or ""), message
        return message


def by_a_relay_of_tcp(offers):
    """Pion has nothing but a TCP port that listens, and we nothing but the relay, which connects to it (RFC 6062)."""
    with turn_server("--tcp-relay", "--allow-peer", f"{HOST}/32", host=HOST) as ports:
        url = URLS["tcp"].format(HOST, ports["tcp"])
        options = ("--ice-tcp", "--policy", "relay", "--ice-server", f"{url},u,p", "--video", "test", "--audio", "tone")
        ours = peer(*(["--answer"] if offers else ["--offer", "--data", "chat"]), *options)
        with Pair(ours, pion(*(["--offer", "--data"] if offers else ["--answer"]), "--media", "--tcp"), Untold) as pair:
            local, remote = selected(passes(pair))
            assert [(end["candidateType"], end["protocol"], end["tcpType"]) for end in (local, remote)] == [
                ("relay", "tcp", "active"), ("host", "tcp", "passive")], (local, remote)
            assert local["url"] == url and local["relayProtocol"] == "tcp", local
            only_relayed(pair, pair.linnet)


def test_pion_offers_over_tcp_to_a_relay_of_tcp():
    by_a_relay_of_tcp(True)


def test_pion_answers_over_tcp_to_a_relay_of_tcp():
    by_a_relay_of_tcp(False)


def at_shared_ports(start, hertz, ports, gives_up=False):
    """Both ends by relay alone, and their relays at so few ports: with one, they have the same address. An end that
    gathers for each section and gives up all but one may close a port; another is then opened and told."""
    with relay("udp", "--shared-ports", str(ports)) as (_, options):
        ours = peer("--answer", "--video", "test", "--audio", "tone", *options)
        with Pair(ours, start("--offer", "--data", "--media", *options)) as pair:
            used = {(c["address"], str(c["port"])) for c in selected(passes(pair, hertz))}
            told = only_relayed(pair, pair.linnet, pair.other)
            assert len(used) <= ports and used <= told, (used, told)
            assert gives_up or len(told) == ports, told


pion_through = partial(through, pion, 440)  # it sends our tone back
aiortc_through = partial(through, aiortc, 660)
gst_through = partial(through, gst, 660)


def test_pion_by_relay_alone_over_udp():
    pion_through("udp", True)
    pion_through("udp", False)


def test_pion_by_relay_alone_over_tcp():
    pion_through("tcp", True)
    pion_through("tcp", False)


def test_pion_by_relay_alone_over_tls():
    pion_through("tls", True)
    pion_through("tls", False)


def test_pion_by_relay_alone_over_dtls():
    pion_through("dtls", True)
    pion_through("dtls", False)


def test_aiortc_by_relay_alone_over_udp():
    aiortc_through("udp", True)
    aiortc_through("udp", False)


def test_aiortc_by_relay_alone_over_tcp():
    aiortc_through("tcp", True)
    aiortc_through("tcp", False)


def test_aiortc_by_relay_alone_over_tls():
    aiortc_through("tls", True)
    aiortc_through("tls", False)


def test_gst_by_relay_alone_over_udp():
    gst_through("udp", True)
    gst_through("udp", False)


def test_gst_by_relay_alone_over_tcp():
    gst_through("tcp", True)
    gst_through("tcp", False)


def test_linnet_by_relay_alone_over_udp():
    both_ends("udp")


def test_linnet_by_relay_alone_over_tcp():
    both_ends("tcp")


def test_linnet_by_relay_alone_over_tls():
    both_ends("tls")


def test_linnet_by_relay_alone_over_dtls():
    both_ends("dtls")


def test_linnet_by_relay_alone_at_one_shared_port():
    both_ends("udp", "--shared-ports", "1")
    both_ends("tcp", "--shared-ports", "1")


def test_linnet_by_relay_alone_at_two_shared_ports():
    both_ends("udp", "--shared-ports", "2")


def test_pion_by_relay_alone_at_shared_ports():
    at_shared_ports(pion, 440, 1)
    at_shared_ports(pion, 440, 2)


def test_aiortc_by_relay_alone_at_shared_ports():
    at_shared_ports(aiortc, 660, 1, gives_up=True)
    at_shared_ports(aiortc, 660, 2, gives_up=True)


if __name__ == "__main__":
    run_all(globals())
