# SPDX-License-Identifier: Apache-2.0
"""`linnet diagnose` names each NAT rightly, and what else it says of the network is so."""
import json
import os
import subprocess

from world import LINNET, OWN_STUN, OWN_TURN, SERVER, STUN, TURN_TCP, TURN_TLS, TURN_UDP, turn_urls

INDEPENDENT, ADDRESS, PORT = "endpoint-independent", "address-dependent", "address- and port-dependent"

# kind: what people call it, mapping, filtering, exit code
WANTED = {
    "none": ("no NAT", "none", INDEPENDENT, 0),
    "full_cone": ("full cone", INDEPENDENT, INDEPENDENT, 0),
    "address_cone": ("address-restricted cone", INDEPENDENT, ADDRESS, 0),
    "port_cone": ("port-restricted cone", INDEPENDENT, PORT, 0),
    "symmetric": ("symmetric", PORT, PORT, 3),
    "carrier_grade": ("port-restricted cone", INDEPENDENT, PORT, 0),
    "udp_blocked": (None, None, None, 1),
    "only_443": (None, None, None, 1),
}


def diagnose(client, *arguments, seconds=60):
    """Exit code, and the first step of each name."""
    code, steps = all_steps(client, *arguments, seconds=seconds)
    return code, {step["step"]: step for step in reversed(steps)}


def all_steps(client, *arguments, seconds=60):
    done = subprocess.run(client.command(LINNET, "diagnose", "--json", *arguments), capture_output=True, text=True,
                          timeout=seconds, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)["steps"]


def check_kind(world, kind, server):
    name, mapping, filtering, wanted_code = WANTED[kind]
    client = world.at(kind)
    code, steps = diagnose(client, server)
    nat = steps.get("nat", {})
    assert (nat.get("kind"), nat.get("mapping"), nat.get("filtering")) == (name, mapping, filtering), steps
    assert code == wanted_code, (code, steps)
    if name is None:
        assert steps["udp"]["verdict"] == "warn" and "443" in steps["udp"]["remedy"], steps
        return
    assert steps["udp"]["verdict"] == "ok" and steps["mtu"]["mtu"] == 1500, steps
    assert steps["stun"]["mapped"].rpartition(":")[0] == client.public, (client.public, steps)
    assert ("hairpin" in steps) == (kind != "none") and not steps.get("hairpin", {}).get("hairpin"), steps


def tests(world):
    def kind_of(kind, server=STUN):
        return lambda: check_kind(world, kind, server)

    def hairpin():
        _, steps = diagnose(world.at("full_cone", "hairpin", hairpin=True), STUN)
        assert steps["hairpin"]["hairpin"] is True, steps

    def narrow():
        client = world.at("port_cone", "narrow")
        client.nats[0].ip("link set wan mtu 1400")
        _, steps = diagnose(client, STUN)
        assert steps["mtu"]["mtu"] == 1400 and steps["mtu"]["verdict"] == "ok", steps
        client.nats[0].ip("link set wan mtu 1100")
        code, steps = diagnose(client, STUN)
        assert steps["mtu"]["mtu"] == 1000 and steps["mtu"]["verdict"] == "fail" and steps["mtu"]["remedy"], steps

    def nobody_there():
        code, steps = diagnose(world.at("none", "b"), f"stun:{SERVER}:9")
        assert code == 1 and "turned back" in steps["udp"]["text"], steps
        code, steps = diagnose(world.at("none", "b"), "stun:203.0.113.250:3478")
        assert code == 1 and steps["udp"]["verdict"] == "warn", steps

    def lifetime():
        """Four minutes long."""
        client = world.at("port_cone", "forgetful")
        client.nats[0].run("sh", "-c", "echo 45 >/proc/sys/net/netfilter/nf_conntrack_udp_timeout")
        _, steps = diagnose(client, STUN, "--long", seconds=300)
        assert (steps["lifetime"]["minSeconds"], steps["lifetime"]["maxSeconds"]) == (30, 60), steps

    def relays(kind, servers, wanted, wanted_code):
        """The verdicts of turn, and of loop for those that are ok."""
        def check():
            code, steps = all_steps(world.at(kind, "b"), *servers)
            turn = [step["verdict"] for step in steps if step["step"] == "turn"]
            loops = [step for step in steps if step["step"] == "loop"]
            assert (code, turn) == (wanted_code, wanted), steps
            assert len(loops) == turn.count("ok") and all(loop["lost"] < loop["sent"] / 2 for loop in loops), loops
        return check

    coturn, own = (TURN_UDP, TURN_TCP, TURN_TLS), turn_urls(OWN_TURN)
    everything = {f"test_diagnose_names_{kind}": kind_of(kind) for kind in WANTED}
    everything.update(test_diagnose_sees_a_hairpin=hairpin,
                      test_diagnose_measures_the_path_mtu=narrow, test_diagnose_tells_a_refusal=nobody_there)
    everything.update({f"test_diagnose_names_{kind}_by_linnet_turn": kind_of(kind, OWN_STUN) for kind in WANTED})
    if os.environ.get("LINNET_LONG"):
        everything.update(test_diagnose_measures_the_lifetime_of_a_mapping=lifetime)
    everything.update(
        test_diagnose_goes_through_all_relays_of_coturn=relays("symmetric", coturn, ["ok", "ok", "ok"], 0),
        test_diagnose_goes_through_all_relays_of_linnet=relays("symmetric", own, ["ok", "ok", "ok"], 0),
        test_diagnose_finds_the_relays_that_udp_does_not_reach=relays("udp_blocked", own, ["warn", "ok", "ok"], 3),
        test_diagnose_finds_the_relay_on_port_443=relays("only_443", coturn, ["warn", "warn", "ok"], 3))
    return everything
