# SPDX-License-Identifier: Apache-2.0
"""ICE-TCP (RFC 6544) between two of ours where no UDP passes: from behind a NAT to a public client, with and
without relays at hand; between two stateful firewalls that let nobody in, by simultaneous open in two kernels
(RFC 9293, 3.5); with both behind NATs, by what a STUN server over TCP said (RFC 6544, 5.2); and through relays
of TCP (RFC 6062) where one side reaches nothing but its server and the other has TCP alone and no relay."""
import time

from topology import IDLE_S, SERVER
from world import LINNET, OWN_STUN, SERVERS, OWN_TURN_TLS, SETTLE_S, STUN, TURN_TLS, Call, End, options

# No UDP, and of TCP only what answers: each side's own SYN makes the other's an answer.
FIREWALL = """
table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        iifname "lo" accept
        ct state established,related accept
    }
    chain output {
        type filter hook output priority 0; policy accept;
        oifname != "lo" meta l4proto udp drop
    }
}
"""
# What left from a port is let in there, whoever sends it: endpoint-independent filtering, of TCP (RFC 5382, 4.3).
CONE = """
table ip cone {{
    map inside {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout {idle}s; }}
    chain forward {{
        type filter hook forward priority -1; policy accept;
        iifname "lan" oifname "wan" meta l4proto tcp update @inside {{ tcp sport timeout {idle}s : ip saddr . tcp sport }}
    }}
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname "wan" fib daddr type local dnat ip addr . port to tcp dport map @inside
    }}
}}
"""
# Others connect to it by TCP, and it connects to nobody.
ANSWERS_ONLY = """
table inet firewall {
    chain output {
        type filter hook output priority 0; policy accept;
        oifname != "lo" meta l4proto udp drop
        oifname != "lo" ct state new drop
    }
}
"""
WAIT_S = 60  # a SYN that met a firewall is repeated after 1, 3 and 7 seconds
times = {}


def selected(peer):
    return tuple((candidate["protocol"], candidate.get("tcpType")) for candidate in peer.selected())


def expect(call, ada, ben):
    """The kinds of the two selected pairs, in the end."""
    deadline = time.monotonic() + SETTLE_S
    while (found := (selected(call.ada), selected(call.ben))) != (ada, ben):
        assert time.monotonic() < deadline, f"{found} instead of {(ada, ben)}"
        time.sleep(0.05)


ACTIVE = (("tcp", "active"), ("tcp", "passive"))
PASSIVE = (("tcp", "passive"), ("tcp", "active"))
BOTH = (("tcp", "so"), ("tcp", "so"))


def from_behind_a_nat(world, name, *servers):
    with Call(world.at("udp_blocked", name + "-ada"), world.at("none", name + "-ben"), "--ice-tcp", *servers) as call:
        call.echo()
        times[name] = call.seconds
        expect(call, ACTIVE, PASSIVE)


def to_behind_a_nat(world, name):
    with Call(world.at("none", name + "-ada"), world.at("udp_blocked", name + "-ben"), "--ice-tcp") as call:
        call.echo()
        times[name] = call.seconds
        expect(call, PASSIVE, ACTIVE)


def between_firewalls(world, name):
    clients = [world.at("none", f"{name}-{side}") for side in ("ada", "ben")]
    for client in clients:
        client.host.nft(FIREWALL)
    with Call(*clients, "--ice-tcp", wait=WAIT_S) as call:
        call.echo()
        times[name] = call.seconds
        expect(call, BOTH, BOTH)


def between_nats(world, name, server):
    """Each side's SYN opens its own NAT for the other's: no server carries anything."""
    clients = [world.at("udp_blocked", f"{name}-{side}") for side in ("ada", "ben")]
    with Call(*clients, "--ice-tcp", *options(server), wait=WAIT_S) as call:
        call.echo()
        times[name] = call.seconds
        expect(call, BOTH, BOTH)
        for peer, public in ((call.ada, clients[0].public), (call.ben, clients[1].public)):
            local = peer.selected()[0]
            assert (local["candidateType"], local["address"]) == ("srflx", public), local


def to_a_cone(world, name):
    """The passive candidate of a NAT that lets everybody in, for a side that gathers no server-reflexive ones."""
    ada = world.at("udp_blocked", name + "-ada")
    ada.nats[0].nft(CONE.format(idle=IDLE_S))
    with Call(End(*ada.command(LINNET, "peer", "--offer", "--data", "chat", "--ice-tcp", *options(STUN))),
              world.at("udp_blocked", name + "-ben"), "--ice-tcp", wait=WAIT_S) as call:
        call.echo()
        times[name] = call.seconds
        expect(call, PASSIVE, ACTIVE)
        assert call.ada.selected()[0]["candidateType"] == "srflx"


def relayed(world, name, urls, kind, *ben_servers, firewall=None):
    """Ada reaches nothing but TCP port 443 of her server, Ben nobody by UDP; he has no relay. What connects to him
    comes from her relayed address, which is that of her passive candidate."""
    ada, ben = world.at("only_443", name + "-ada"), world.at(kind, name + "-ben")
    if firewall:
        ben.host.nft(firewall)
    with Call(End(*ada.command(LINNET, "peer", "--offer", "--data", "chat", "--ice-tcp", *options(*urls))),
              End(*ben.command(LINNET, "peer", "--answer", "--echo", "--ice-tcp", *options(*ben_servers))), wait=WAIT_S) as call:
        call.echo()
        call.echo("long " * 10000)
        times[name] = call.seconds
        expect(call, ACTIVE if firewall else PASSIVE, (("tcp", "passive"), ("tcp", "passive")) if firewall else ACTIVE)
        assert call.ben.selected()[1]["candidateType"] == "relay", call.ben.selected()
        local = call.ada.selected()[0]
        assert (local["candidateType"], local["relayProtocol"]) == ("relay", "tls"), local
        assert call.ada.selected()[1]["address"] == ben.public, call.ada.selected()


def pair_id(peer):
    return next(s for s in peer.stats().values() if s["type"] == "transport")["selectedCandidatePairId"]


def restart(world, name):
    """ICE restarts in mid-call: a new stream takes over from the old one, and no message is lost."""
    with Call(world.at("udp_blocked", name + "-ada"), world.at("none", name + "-ben"), "--ice-tcp") as call:
        call.echo()
        before = pair_id(call.ada)
        call.ada.send({"cmd": "restart"})
        deadline = time.monotonic() + SETTLE_S
        count = 0
        while pair_id(call.ada) == before:
            call.echo(f"message {count}")
            count += 1
            assert time.monotonic() < deadline, "the old pair is still in use"
        call.echo("after the restart")
        expect(call, ACTIVE, PASSIVE)


def tests(world):
    return {
        "test_tcp_from_behind_a_nat_that_drops_udp": lambda: from_behind_a_nat(world, "tcp-from-nat"),
        "test_tcp_to_behind_a_nat_that_drops_udp": lambda: to_behind_a_nat(world, "tcp-to-nat"),
        "test_tcp_is_preferred_to_a_relay": lambda: from_behind_a_nat(world, "tcp-or-relay", *SERVERS),
        "test_tcp_simultaneous_open_between_two_firewalls": lambda: between_firewalls(world, "tcp-firewalls"),
        "test_tcp_simultaneous_open_between_two_nats": lambda: between_nats(world, "tcp-nats", STUN),
        "test_tcp_simultaneous_open_by_a_server_over_tls": lambda: between_nats(world, "tcp-nats-tls", f"stuns:{SERVER}:443"),
        "test_tcp_simultaneous_open_by_our_own_server": lambda: between_nats(world, "tcp-nats-own", OWN_STUN),
        "test_tcp_to_a_passive_candidate_behind_a_nat": lambda: to_a_cone(world, "tcp-cone"),
        "test_tcp_relayed_by_coturn_to_a_peer_that_connects": lambda: relayed(world, "tcp-relay", [TURN_TLS], "udp_blocked", STUN),
        "test_tcp_relayed_by_our_own_server_to_a_peer_that_connects":
            lambda: relayed(world, "tcp-relay-own", [OWN_TURN_TLS], "udp_blocked", OWN_STUN),
        "test_tcp_relayed_by_coturn_which_connects": lambda: relayed(world, "tcp-connect", [TURN_TLS], "none", firewall=ANSWERS_ONLY),
        "test_tcp_relayed_by_our_own_server_which_connects":
            lambda: relayed(world, "tcp-connect-own", [OWN_TURN_TLS], "none", firewall=ANSWERS_ONLY),
        "test_tcp_restarts_in_a_call": lambda: restart(world, "tcp-restart"),
    }


def report():
    for name, seconds in times.items():
        print(f"{name}: channel open after {seconds * 1000:.0f} ms")
