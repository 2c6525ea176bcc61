# SPDX-License-Identifier: Apache-2.0
"""Each NAT of the topology is of the kind it is called: two programs of other hands say so, coturn's
turnutils_natdiscovery by RFC 5780 and Vovida's stun by RFC 3489."""
import re
import subprocess

from world import SERVER

MAPPING = r"NAT with ([\w ]+) Mapping!"
FILTERING = r"NAT with ([\w ]+) Filtering!"
INDEPENDENT, ADDRESS, PORT = "Endpoint Independent", "Address Dependent", "Address and Port Dependent"

# kind: mapping, filtering, what RFC 3489 calls it
WANTED = {
    "none": (INDEPENDENT, INDEPENDENT, "Open"),
    "full_cone": (INDEPENDENT, INDEPENDENT, "Independent Mapping, Independent Filter, preserves ports, no hairpin"),
    "address_cone": (INDEPENDENT, ADDRESS, "Independent Mapping, Address Dependent Filter, preserves ports, no hairpin"),
    "port_cone": (INDEPENDENT, PORT, "Independent Mapping, Port Dependent Filter, preserves ports, no hairpin"),
    "symmetric": (PORT, PORT, "Dependent Mapping, random port, no hairpin"),
    "carrier_grade": (INDEPENDENT, PORT, "Independent Mapping, Port Dependent Filter, preserves ports, no hairpin"),
    "udp_blocked": (None, None, "Blocked or could not reach STUN server"),
    "only_443": (None, None, "Blocked or could not reach STUN server"),
}


def ask(client, *command):
    return subprocess.run(client.command("timeout", "-k", "1", "40", *command), capture_output=True, text=True,
                          check=False).stdout


def found(pattern, text):
    match = re.search(pattern, text)
    return match and match.group(1)


def check(client, kind):
    mapping, filtering, name = WANTED[kind]
    text = ask(client, "turnutils_natdiscovery", "-m", "-f", SERVER)
    assert (found(MAPPING, text), found(FILTERING, text)) == (mapping, filtering), (kind, text)
    assert found(r"Primary: (.*?)\s*\n", ask(client, "stun", SERVER)) == name, kind


def tests(world):
    def test_of(kind):
        return lambda: check(world.at(kind), kind)

    return {f"test_{kind}_is_what_it_is_called": test_of(kind) for kind in WANTED}
