# SPDX-License-Identifier: Apache-2.0
"""`--ice-tcp` of the commands that make connections, in a network of their own in which no UDP passes."""
import contextlib
import filecmp
import os

from support import folder, linnet, own_network, run_all

WITHOUT_UDP = """
nft add table inet linnet
nft add chain inet linnet output '{ type filter hook output priority 0 ; }'
nft add rule inet linnet output meta l4proto udp drop
"""


@contextlib.contextmanager
def served():
    with own_network(WITHOUT_UDP), linnet("serve", "--dev", "--listen", "127.0.0.1:0", "--stun", "none") as server:
        yield server.expect(r"page +(https?://\S+)/$").group(1)


def test_tcp_carries_a_file_where_no_udp_passes():
    with served() as url, folder() as place:
        source, to = os.path.join(place, "file.bin"), os.path.join(place, "to")
        os.mkdir(to)
        with open(source, "wb") as file:
            file.write(os.urandom(3 << 20))
        with linnet("send", "--to", url, "--loopback", "--ice-tcp", source) as sender:
            code = sender.expect(r"code +(\S+)").group(1)
            with linnet("receive", "--to", url, "--loopback", "--ice-tcp", "--output", to, code) as receiver:
                assert receiver.end() == 0, receiver
            assert sender.end() == 0, sender
        assert filecmp.cmp(source, os.path.join(to, "file.bin"), shallow=False)


def test_tcp_carries_a_call_where_no_udp_passes():
    def join(name):
        return linnet("join", url, "--loopback", "--ice-tcp", "--video", "test", "--stats", "json", "--name", name)

    with served() as url, join("ada") as ada, join("ben") as ben:
        for guest in (ada, ben):
            guest.expect_json(lambda m: m.get("event") == "figures" and m.get("videoIn", {}).get("frames", 0) > 20)


if __name__ == "__main__":
    run_all(globals())
