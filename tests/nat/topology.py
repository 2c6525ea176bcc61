# SPDX-License-Identifier: Apache-2.0
"""An internet of network namespaces: clients behind NATs of every kind (nftables), a server with two
addresses, and a bridge between them. Nothing is mounted: a sleeping process holds each namespace, and
all is gone when they end. Needs root.

    client --- home NAT [--- carrier's NAT] --- bridge --- server (two addresses)

The kinds are told apart in the words of RFC 4787: how an inside port is mapped (4.1), and who may send to
that mapping (5). What the kernel gives by itself is a mapping that keeps the port, independent of the
destination, and filters by address and port. The other kinds are made of it:
  symmetric        a port by chance for each destination: `masquerade fully-random`
  address_cone     the packet path fills a map (outside port to inside address) and a set (who was sent to);
                   what comes from an address of the set goes in, whatever its port
  full_cone        the same without the set
A home network is 192.168.1.0/24 wherever it stands, as homes are: two clients have the same address."""
import contextlib
import os
import subprocess
import time

INSIDE = "192.168.1.2"
GATEWAY = "192.168.1.1"
SERVER = "203.0.113.1"  # and SERVER_2 is its second address, for RFC 5780
SERVER_2 = "203.0.113.2"
OWN_TURN = "203.0.113.3"  # `linnet turn`, at two addresses as well
OWN_TURN_2 = "203.0.113.4"
ROUTER = "203.0.113.254"  # everybody's way to elsewhere; what goes there is lost, as private addresses are
IDLE_S = 120  # how long a cone's mapping lives without a packet (RFC 4787, REQ-5: at least two minutes)

KINDS = ("none", "full_cone", "address_cone", "port_cone", "symmetric", "carrier_grade", "udp_blocked", "only_443")

CONES = """
    map inside {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout {idle}s; }}
    set sent_to {{ type ipv4_addr . inet_service; flags dynamic, timeout; timeout {idle}s; }}
"""
LEARN = """
        iifname "lan" oifname "wan" meta l4proto udp update @inside {{ udp sport timeout {idle}s : ip saddr . udp sport }}
        iifname "lan" oifname "wan" meta l4proto udp update @sent_to {{ ip daddr . udp sport timeout {idle}s }}
"""
# A packet that comes in unasked must be dropped before the kernel makes a connection of it: else the port
# that the client is about to use for this destination would be taken.
RULES = """
table ip nat {{
    {state}
    chain forward {{
        type filter hook forward priority 0; policy drop;
        {learn}
        {block}
        ct state established,related accept
        iifname "lan" oifname "wan" accept
        ct status dnat accept
    }}
    chain input {{
        type filter hook input priority 0; policy drop;
        iifname "lan" accept
        ct state established,related accept
        icmp type echo-request accept
    }}
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        {come_in}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        {hairpin}
        oifname "wan" meta l4proto udp masquerade {udp}
        oifname "wan" masquerade
    }}
}}
"""
HAIRPIN = 'iifname "lan" oifname "lan" masquerade'


def rules(kind, hairpin=False):
    """The nftables rules of a NAT with interfaces `lan` and `wan`."""
    cone = kind in ("full_cone", "address_cone")
    source = "ip saddr . udp dport @sent_to " if kind == "address_cone" else ""
    # Of its own addresses only: what is still sent to one that it had before a rebinding must not bring the flow back.
    where = ('iifname { "wan", "lan" }' if hairpin else 'iifname "wan"') + " fib daddr type local"
    return RULES.format(
        state=CONES.format(idle=IDLE_S) if cone else "",
        learn=LEARN.format(idle=IDLE_S) if cone else "",
        block={"udp_blocked": "meta l4proto udp drop",
               "only_443": 'iifname "lan" tcp dport != 443 drop\n        meta l4proto udp drop'}.get(kind, ""),
        come_in=f"{where} {source}dnat ip addr . port to udp dport map @inside" if cone else "",
        hairpin=HAIRPIN if hairpin else "",
        udp="fully-random" if kind == "symmetric" else "")


class Namespace:
    """Held by a process that sleeps, and that ends with us."""

    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"))
        self.pid = str(self.holder.pid)

    def wait(self):
        """Until the process has left ours."""
        own = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{self.pid}/ns/net") == own:
            assert time.monotonic() < deadline and self.holder.poll() is None, "no network namespace: root is needed"
            time.sleep(0.002)

    def command(self, *words):
        return ("nsenter", "--target", self.pid, "--net", *words)

    def run(self, *words, input_=None, seconds=20):
        done = subprocess.run(self.command(*words), input=input_, capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, f"{self.name}: {' '.join(words)}: {done.stderr}\n{input_ or ''}"
        return done.stdout

    def ip(self, *lines):
        self.run("ip", "-batch", "-", input_="\n".join(lines) + "\n")

    def nft(self, text):
        self.run("nft", "-f", "-", input_=text)

    def end(self):
        self.holder.kill()
        self.holder.wait()


class Client:
    """A host of one kind; `nats` are the boxes before it, the nearest first."""

    def __init__(self, kind, host, nats):
        self.kind, self.host, self.nats = kind, host, nats
        self.public = None  # address by which the internet knows it

    def command(self, *words):
        return self.host.command(*words)


class Internet:
    """Everything; leave the `with` and it is gone."""

    def __init__(self):
        self.namespaces = []
        self.links = 0
        self.last_bytes = iter(range(10, 255))  # of public addresses; tests at the same time take from it

    def __enter__(self):
        try:
            self.core = self.namespace("core")
            self.core.wait()
            self.core.ip("link add bridge type bridge", f"address add {ROUTER}/24 dev bridge", "link set bridge up")
            self.server = self.namespace("server")
            self.attach(self.server, "eth0", SERVER, SERVER_2)
            self.own_turn = self.namespace("own-turn")
            self.attach(self.own_turn, "eth0", OWN_TURN, OWN_TURN_2)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for namespace in self.namespaces:
            with contextlib.suppress(OSError):
                namespace.end()
        self.namespaces = []

    def namespace(self, name):
        namespace = Namespace(name)
        self.namespaces.append(namespace)
        namespace.wait()
        # IPv6 would find ways around the NATs: link-local addresses on the bridge.
        namespace.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up")
        return namespace

    def address(self):
        return f"203.0.113.{next(self.last_bytes)}"

    def attach(self, namespace, interface, *addresses):
        """Plugs an interface with these addresses into the bridge."""
        self.links += 1
        port = f"p{self.links}"
        self.core.ip(f"link add {port} type veth peer name {interface} netns {namespace.pid}",
                     f"link set {port} master bridge up")
        namespace.ip(*(f"address add {address}/24 dev {interface}" for address in addresses), f"link set {interface} up",
                     f"route add default via {ROUTER}")

    @staticmethod
    def join(outer, outer_name, outer_ip, inner, inner_name, inner_ip, mask):
        """A cable; the inner end's default route leads through the outer one."""
        outer.ip(f"link add {outer_name} type veth peer name {inner_name} netns {inner.pid}",
                 f"address add {outer_ip}/{mask} dev {outer_name}", f"link set {outer_name} up")
        inner.ip(f"address add {inner_ip}/{mask} dev {inner_name}", f"link set {inner_name} up",
                 f"route add default via {outer_ip}")

    def nat(self, name, kind, hairpin=False):
        """A NAT plugged into the bridge; its inner interface comes with the client. Gives its address too."""
        box = self.namespace(name)
        public = self.address()
        self.attach(box, "wan", public)
        box.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        box.nft(rules(kind, public if hairpin else False))
        return box, public

    def client(self, kind, side="", hairpin=False):
        """A client of one of KINDS."""
        name = f"{kind}{side}"
        host = self.namespace(name)
        client = Client(kind, host, [])
        if kind == "none":
            client.public = self.address()
            self.attach(host, "eth0", client.public)
            return client
        if kind == "carrier_grade":
            # The carrier's NAT as RFC 6888 wants it: mapping and filtering independent of the endpoint.
            carrier, client.public = self.nat(name + "-carrier", "full_cone")
            home = self.namespace(name + "-home")
            self.join(carrier, "lan", "100.64.0.1", home, "wan", "100.64.0.2", 10)
            home.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
            home.nft(rules("port_cone"))
            client.nats = [home, carrier]
        else:
            box, client.public = self.nat(name + "-nat", kind, hairpin)
            client.nats = [box]
        self.join(client.nats[0], "lan", GATEWAY, host, "eth0", INSIDE, 24)
        return client

    def rebind(self, client):
        """The outermost NAT gets another public address and forgets its mappings, as after a reconnect."""
        box, old = client.nats[-1], client.public
        client.public = self.address()
        box.ip(f"address del {old}/24 dev wan", f"address add {client.public}/24 dev wan",
               f"route add default via {ROUTER}")
        box.run("conntrack", "--flush")
        if "inside" in box.run("nft", "list", "maps"):
            box.nft("flush map ip nat inside\nflush set ip nat sent_to\n")
