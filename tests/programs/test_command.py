# SPDX-License-Identifier: Apache-2.0
"""`linnet` itself: help, version, and what it says to a command line that is wrong; ./run and ./check."""
import os
import re
import subprocess

from support import LINNET, ROOT, run, run_all, sentence

SUBCOMMANDS = ("serve", "join", "peer", "bench", "version", "help")


def refused(*arguments):
    """The sentence about a command line that is wrong: code 2, nothing on standard output."""
    code, out, err = run(*arguments)
    assert code == 2 and out == "", (arguments, code, out, err)
    return sentence(err)


def test_version_is_that_of_the_build():
    with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as handle:
        version = re.search(r"version: *'([\d.]+)'", handle.read()).group(1)
    for word in ("version", "--version"):
        assert run(word) == (0, f"linnet {version}", ""), run(word)


def test_the_program_is_hardened():
    def readelf(*options):
        return subprocess.run(["readelf", "-W", *options, LINNET], capture_output=True, text=True, check=True).stdout

    dynamic, segments, symbols = readelf("-d"), readelf("-l"), readelf("--dyn-syms")
    assert re.search(r"FLAGS_1.*NOW.*PIE|FLAGS_1.*PIE.*NOW", dynamic), dynamic
    assert "GNU_RELRO" in segments and re.search(r"GNU_STACK.* RW +0x", segments), segments
    assert "__stack_chk_fail" in symbols and "__memcpy_chk" in symbols, symbols


def test_help_names_every_subcommand():
    for words in (["help"], ["--help"], ["-h"], ["help", "help"]):
        code, out, err = run(*words)
        assert code == 0 and err == "", (words, code, err)
        for name in SUBCOMMANDS:
            assert re.search(rf"^  {name} +\w", out, re.M), (words, out)


def test_help_of_a_subcommand_is_that_of_its_option():
    options = {"serve": ("dev", "studio", "listen", "tls-cert", "tls-key", "config", "stun", "one-port", "check-config"),
               "join": ("name", "video", "audio", "chat", "snapshot", "duration", "stats"),
               "peer": ("offer", "answer", "video", "audio", "data", "echo", "no-trickle", "ice-server", "policy",
                        "loopback", "duration", "trace"),
               "bench": ("json", "with", "runs", "seconds"), "version": ()}
    for name, wanted in options.items():
        code, out, err = run("help", name)
        assert code == 0 and err == "" and out.startswith(f"linnet {name}"), (name, code, out, err)
        for option in wanted:
            assert re.search(rf"^  --{option}\b", out, re.M), (name, option)
        assert run(name, "--help") == run(name, "-h") == (0, out, "")


def test_no_subcommand_is_a_usage_error_with_the_overview():
    code, out, err = run()
    assert code == 2 and out == "" and "linnet SUBCOMMAND" in err, (code, out, err)


def test_an_unknown_subcommand_is_told_the_nearest():
    for wrong, right in (("sevre", "serve"), ("jion", "join"), ("pear", "peer"), ("ben", "bench"),
                         ("--versoin", "version")):
        told = refused(wrong)
        assert f'"{wrong}"' in told and f"did you mean {right}?" in told, told
    assert "see linnet help" in refused("hippopotamus")
    assert "did you mean join?" in refused("help", "jion")


def test_an_unknown_option_is_told_the_nearest():
    for arguments, right in ((("serve", "--lisen", "1"), "--listen"), (("serve", "--tls-crt=x"), "--tls-cert"),
                             (("join", "ws://x/", "--nmae", "y"), "--name"), (("join", "ws://x/", "--snap"), "--snapshot"),
                             (("peer", "--ofer"), "--offer"), (("peer", "--offer", "--no-trikle"), "--no-trickle"),
                             (("bench", "setup", "--jsn"), "--json"), (("version", "--hlep"), "--help")):
        told = refused(*arguments)
        assert told.startswith(f"linnet {arguments[0]}: there is no option") and f"did you mean {right}?" in told, told
    assert "see linnet help peer" in refused("peer", "--hippopotamus")
    assert "there is no option -x" in refused("peer", "-x")


def test_values_that_do_not_fit_are_usage_errors():
    for arguments, part in ((("serve", "--listen"), "--listen takes a value (ADDR:PORT)"),
                            (("serve", "--listen", "nonsense"), "127.0.0.1:8080"),
                            (("serve", "--stun", "127.0.0.1:99999"), "--stun takes an address"),
                            (("serve", "--dev=yes"), "--dev takes no value"),
                            (("serve", "extra"), '"extra" is one argument too many'),
                            (("serve", "--tls-key", "k"), "HTTPS needs both"),
                            (("serve", "--tls-cert", "c"), "--tls-key"),
                            (("join",), "an argument is missing"),
                            (("join", "ws://x/", "ws://y/"), "one argument too many"),
                            (("join", "ws://x/", "--stats", "xml"), 'one of text json, not "xml"'),
                            (("join", "ws://x/", "--video", "camera"), "one of test none"),
                            (("join", "ws://x/", "--duration", "0"), "a number from 1 to"),
                            (("join", "ws://x/", "--duration", "soon"), 'not "soon"'),
                            (("join", "ftp://x/"), "no address of a server"),
                            (("join", "http://"), "no address of a server"),
                            (("join", "ws://x/", "--room", "a b"), "a room is of"),
                            (("join", "ws://x/", "--name", "n" * 65), "a name of 1 to 64 bytes"),
                            (("peer",), "one of --offer and --answer"),
                            (("peer", "--offer", "--answer"), "one of --offer and --answer"),
                            (("peer", "--offer", "--policy", "none"), "one of all relay"),
                            (("peer", "--offer", "--ice-lite", "--policy", "relay"), "--ice-lite has no relay"),
                            (("peer", "--offer", "--interface", "10.0.0.0/33"), 'not "10.0.0.0/33"'),
                            (("peer", "--offer", "--external", "10.0.0.1=fd00::1"), "both IPv4 or both IPv6"),
                            (("peer", "--offer", "--external", "192.0.2.1", "--external", "192.0.2.2"), "twice"),
                            (("peer", "--offer", "--external-replaces"), "goes with --external"),
                            (("join", "ws://x/", "--interface", "a:b"), 'not "a:b"'),
                            (("peer", "--answer", "extra"), "one argument too many"),
                            (("bench",), "an argument is missing"),
                            (("bench", "speed"), "latency or turn"),
                            (("bench", "data", "--sizes", "0"), "1 to 262144"),
                            (("bench", "data", "--sizes", "65536x"), "1 to 262144"),
                            (("bench", "setup", "--runs", "many"), "--runs takes a number")):
        told = refused(*arguments)
        assert part in told, (arguments, told)


def test_an_address_with_a_wrong_port_is_a_usage_error():
    code, _, err = run("join", "ws://127.0.0.1:99999/ws")
    assert code == 2 and "no address of a server" in sentence(err), (code, err)


def test_run_lists_what_it_would_install():
    code, out, err = run("--list", program=os.path.join(ROOT, "run"))
    assert code == 0 and err == "", (code, out, err)
    rows = [line.split(maxsplit=2) for line in out.split("\n")]
    assert all(len(row) == 3 and row[0] in ("present", "missing") for row in rows), out
    assert {"meson", "gcc", "libssl-dev"} <= {row[1] for row in rows}, out


def test_run_and_check_tell_their_usage():
    for script, words in (("run", ("--list", "--build-only", "Ctrl-C")), ("check", ("quick", "programs", "interop"))):
        code, out, err = run("--help", program=os.path.join(ROOT, script))
        assert code == 0 and err == "" and all(word in out for word in words), (script, out, err)


def test_check_refuses_a_suite_that_is_not_there():
    code, out, err = run("unti", program=os.path.join(ROOT, "check"))
    assert code == 2 and out == "" and 'no suite "unti"' in sentence(err), (code, out, err)


if __name__ == "__main__":
    run_all(globals())
