# SPDX-License-Identifier: Apache-2.0
"""linnet send and linnet receive from the outside: what arrives, what is refused, how each ends."""
import contextlib
import filecmp
import os
import random
import re
import signal
import socket
import time

from support import LINNET, SECONDS, Program, Server, dead_paths, folder, own_network, run, run_all, sentence, write

MEGABYTE = 1 << 20
# A participant that is gone is told of after a second, not thirty.
QUICK = "signal:\n  grace_seconds: 1\n"


@contextlib.contextmanager
def scene(quick=False):
    """A server and two folders: where what is sent stands, and where it goes."""
    with folder() as place:
        os.mkdir(os.path.join(place, "from"))
        os.mkdir(os.path.join(place, "to"))
        arguments = ["--config", write(os.path.join(place, "linnet.yaml"), QUICK)] if quick else []
        with Server(*arguments, stun="none") as server:
            yield server, os.path.join(place, "from"), os.path.join(place, "to")


class Sender(Program):
    """`linnet send`, once it has a code."""

    def __init__(self, server, *arguments):
        super().__init__(LINNET, "send", "--to", server.url, "--loopback", *arguments)
        self.code = self.expect(r"^code  (\d{4}(?:-[a-z]+){3})$").group(1)


def receiving(server, code, to, *arguments):
    return Program(LINNET, "receive", code, "--to", server.url, "--loopback", "-o", to, *arguments)


def receive(server, code, to, *arguments):
    """To the end: exit code and standard error."""
    with receiving(server, code, to, *arguments) as receiver:
        return receiver.end(SECONDS * 3), receiver.text("err")


def make(path, size, seed=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        generator = random.Random(seed)
        while size > 0:
            handle.write(generator.randbytes(min(size, MEGABYTE)))
            size -= MEGABYTE
    return path


def same_tree(a, b):
    compared = filecmp.dircmp(a, b)
    assert not compared.left_only and not compared.right_only and not compared.funny_files, (
        compared.left_only, compared.right_only)
    for name in compared.common_files:
        left, right = os.path.join(a, name), os.path.join(b, name)
        assert filecmp.cmp(left, right, shallow=False), name
        assert os.stat(left).st_mode == os.stat(right).st_mode, name
        assert abs(os.stat(left).st_mtime - os.stat(right).st_mtime) < 0.002, name
    for name in compared.common_dirs:
        same_tree(os.path.join(a, name), os.path.join(b, name))


def parts(to):
    return [name for _, _, names in os.walk(to) for name in names if name.endswith(".linnet.part")]


def until(wanted, what, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def test_send_a_folder_with_names_times_and_modes():
    with scene() as (server, source, to):
        tree = os.path.join(source, "tree")
        for number, (name, size) in enumerate({"empty": 0, "one": 1, "chunk": 65536, "sub/more": 3 * 65536 + 5,
                                               "sub/deep/größe 日本": 100, ".hidden": 7}.items()):
            os.utime(make(os.path.join(tree, name), size, number), (1e9, 1e9 + number + 0.25))
        os.chmod(os.path.join(tree, "one"), 0o750)
        os.mkdir(os.path.join(tree, "nothing"))
        os.symlink("/etc/passwd", os.path.join(tree, "link"))
        make(os.path.join(source, "beside.bin"), 2 * MEGABYTE)
        with Sender(server, tree, os.path.join(source, "beside.bin")) as sender:
            code, err = receive(server, sender.code, to)
            assert code == 0, err
            assert sender.end() == 0, sender
            assert "link is left out: is a link" in sender.text("err")
            assert "path host" in err
        os.unlink(os.path.join(tree, "link"))
        same_tree(source, to)


def test_send_prints_a_link_to_the_page():
    with scene() as (server, source, to):
        with Sender(server, make(os.path.join(source, "a"), 5)) as sender:
            assert sender.expect(r"^page  (\S+)$").group(1) == f"{server.url}/receive#{sender.code}"
            sender.expect(rf"^or    linnet receive {sender.code} --to \S+$")
            sender.signal(signal.SIGINT)
            assert sender.end() == 130


def test_send_standard_input():
    with scene() as (server, _, to):
        with Sender(server, "-", "--name", "numbers.txt") as sender:
            with receiving(server, sender.code, to) as receiver:
                sender.expect("has proven the code", stream="err")
                for number in range(1000):
                    sender.send(f"line {number}")
                sender.process.stdin.close()
                assert receiver.end() == 0, receiver
            assert sender.end() == 0, sender
        with open(os.path.join(to, "numbers.txt"), encoding="ascii") as handle:
            assert handle.read() == "".join(f"line {n}\n" for n in range(1000))


def test_send_standard_input_in_the_place_of_what_is_there():
    with scene() as (server, _, to):
        make(os.path.join(to, "stdin"), 100000)
        make(os.path.join(to, "stdin.linnet.part"), 200000)
        for force, codes in (((), (0, 1)), (("--force",), (0, 0))):
            with Sender(server, "-") as sender:
                with receiving(server, sender.code, to, *force) as receiver:
                    sender.send("something else")
                    sender.process.stdin.close()
                    assert (sender.end(), receiver.end()) == codes, (sender, receiver)
        with open(os.path.join(to, "stdin"), "rb") as handle:
            assert handle.read() == b"something else\n"
        assert parts(to) == []


def test_send_to_several_receivers_at_once():
    with scene() as (server, source, to):
        path = make(os.path.join(source, "shared.bin"), 8 * MEGABYTE)
        with Sender(server, path, "--receivers", "3") as sender:
            receivers = [receiving(server, sender.code, os.path.join(to, str(i))) for i in range(3)]
            for receiver in receivers:
                with receiver:
                    assert receiver.end() == 0, receiver
            assert sender.end() == 0, sender
        for i in range(3):
            assert filecmp.cmp(path, os.path.join(to, str(i), "shared.bin"), shallow=False)


def test_send_serves_one_receiver_and_no_second():
    with scene() as (server, source, to):
        with Sender(server, make(os.path.join(source, "a"), 5)) as sender:
            assert receive(server, sender.code, to)[0] == 0
            assert sender.end() == 0


def wrong(code):
    """The code with another last word."""
    return re.sub(r"[a-z]+$", "walnut" if not code.endswith("walnut") else "zebra", code)


def test_receive_with_a_wrong_code_ends_with_4_and_the_right_one_still_works():
    with scene() as (server, source, to):
        with Sender(server, make(os.path.join(source, "a"), 5)) as sender:
            code, err = receive(server, wrong(sender.code), to)
            assert code == 4 and "the code is wrong" in err, err
            sender.expect(r"wrong code \(1 of 3\)", stream="err")
            assert os.listdir(to) == []
            assert receive(server, sender.code, to)[0] == 0
            assert sender.end() == 0
        assert os.listdir(to) == ["a"]


def test_send_ends_with_4_after_three_wrong_codes():
    with scene() as (server, source, to):
        with Sender(server, make(os.path.join(source, "a"), 5)) as sender:
            for number in (1, 2, 3):
                assert receive(server, wrong(sender.code), to)[0] == 4
                sender.expect(rf"wrong code \({number} of 3\)", stream="err")
            assert sender.end() == 4, sender
        assert os.listdir(to) == []


def test_receive_tells_a_mistyped_code_without_a_try():
    code, out, err = run("receive", "4711-anchor-velvit-otter")
    assert code == 2 and out == "" and "did you mean velvet?" in sentence(err)
    for text in ("4711", "anchor-velvet-otter", "4711-anchor-velvet", "47-anchor-velvet-otter"):
        code, out, err = run("receive", text)
        assert code == 2 and "a number and three words" in sentence(err), err


def test_send_tells_what_it_cannot_send():
    with folder() as place:
        for path, said in ((os.path.join(place, "nothing"), "is not there"), ("/dev/null", "neither a file nor a folder"),
                           (make(os.path.join(place, "new\nline"), 1), "has a control character")):
            code, out, err = run("send", path)
            assert code == 1 and out == "" and said in err, err


def interrupted(server, sender, to, name, least):
    """Starts to receive, and kills the receiver when so many bytes are there."""
    part = os.path.join(to, name + ".linnet.part")
    with receiving(server, sender.code, to) as receiver:
        until(lambda: os.path.exists(part) and os.path.getsize(part) >= least, receiver)
        receiver.signal(signal.SIGKILL)
        receiver.end()
    assert os.path.exists(part) and not os.path.exists(os.path.join(to, name))
    return part


def check_resumed(err, total):
    """Less came than there is."""
    amount, unit = re.search(r"received: ([\d.]+) (kB|MB) in", err).groups()
    assert float(amount) * {"kB": 1e3, "MB": 1e6}[unit] < total - MEGABYTE, err


def test_receive_goes_on_after_kill_9_of_the_receiver():
    with scene(quick=True) as (server, source, to):
        path = make(os.path.join(source, "big.bin"), 200 * MEGABYTE)
        with Sender(server, path) as sender:
            interrupted(server, sender, to, "big.bin", 3 * MEGABYTE)
            code, err = receive(server, sender.code, to)
            assert code == 0, (err, sender)
            assert sender.end() == 0
        check_resumed(err, 200 * MEGABYTE)
        assert filecmp.cmp(path, os.path.join(to, "big.bin"), shallow=False) and parts(to) == []


def test_receive_goes_on_after_kill_9_of_the_sender_with_its_next_code():
    with scene(quick=True) as (server, source, to):
        path = make(os.path.join(source, "big.bin"), 200 * MEGABYTE)
        part = os.path.join(to, "big.bin.linnet.part")
        with Sender(server, path) as sender:
            with receiving(server, sender.code, to) as receiver:
                until(lambda: os.path.exists(part) and os.path.getsize(part) >= 3 * MEGABYTE, receiver)
                sender.signal(signal.SIGKILL)
                sender.end()
                assert receiver.end(SECONDS * 3) == 3, receiver
                assert "the sender has gone" in receiver.text("err")
        with Sender(server, path) as sender:
            code, err = receive(server, sender.code, to)
            assert code == 0 and sender.end() == 0, err
        check_resumed(err, 200 * MEGABYTE)
        assert filecmp.cmp(path, os.path.join(to, "big.bin"), shallow=False)


def test_receive_goes_on_after_both_were_killed_and_the_file_changed_meanwhile():
    with scene(quick=True) as (server, source, to):
        path = make(os.path.join(source, "big.bin"), 100 * MEGABYTE)
        with Sender(server, path) as sender:
            interrupted(server, sender, to, "big.bin", 3 * MEGABYTE)
            sender.signal(signal.SIGKILL)
            sender.end()
        with open(path, "r+b") as handle:
            handle.write(b"another beginning")
        with Sender(server, path) as sender:
            code, err = receive(server, sender.code, to)
            assert code == 0 and sender.end() == 0, err
        assert filecmp.cmp(path, os.path.join(to, "big.bin"), shallow=False)


def peak_memory(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as handle:
        return int(re.search(r"VmHWM:\s+(\d+) kB", handle.read()).group(1)) << 10


def test_receive_makes_a_lost_connection_anew_within_30_s():
    """The path that is in use goes dead in both directions; another one is there."""
    with own_network(), scene() as (server, source, to):
        path = make(os.path.join(source, "big.bin"), 400 * MEGABYTE)
        part = os.path.join(to, "big.bin.linnet.part")
        with Sender(server, path) as sender, receiving(server, sender.code, to) as receiver:
            until(lambda: os.path.exists(part) and os.path.getsize(part) >= 3 * MEGABYTE, receiver)
            with dead_paths(sender, receiver):
                receiver.expect("trying again", 40, stream="err")
                assert receiver.end(120) == 0, (receiver, sender)
                assert sender.end() == 0, sender
            check_resumed(receiver.text("err"), 400 * MEGABYTE)
        assert filecmp.cmp(path, os.path.join(to, "big.bin"), shallow=False)


PTY = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
QUIET_ZONE = 4  # modules around a QR code
DOT = 6  # pixels a module


def picture_of(rows, path):
    """A code of half blocks, dark on light, as a picture (PGM)."""
    width = len(rows[0])
    dots = []
    for row in rows:
        dots.append([c in "\u2580\u2588" for c in row])
        dots.append([c in "\u2584\u2588" for c in row])
    side = width + 2 * QUIET_ZONE
    empty = [[False] * side] * QUIET_ZONE
    dots = empty + [[False] * QUIET_ZONE + row + [False] * QUIET_ZONE for row in dots] + empty
    with open(path, "wb") as handle:
        handle.write(b"P5 %d %d 255\n" % (side * DOT, len(dots) * DOT))
        for row in dots:
            handle.write(b"".join((b"\0" if dark else b"\xff") * DOT for dark in row) * DOT)
    return path


def test_send_shows_a_qr_code_that_leads_to_the_page():
    with folder() as place, Server(listen="10.77.0.2:0", stun="none") as server:
        with Program("/usr/bin/python3", "-c", PTY, LINNET, "send", "--insecure", "--to", server.url,
                     write(os.path.join(place, "a.txt"), "a")) as sender:
            sender.expect(r"^or ")
            lines = [line.rstrip("\r\n") for line in sender.lines["out"]]
            rows = [line[len("\x1b[30;47m"):-len("\x1b[0m")] for line in lines if line.startswith("\x1b[30;47m")]
            page = next(line.split()[1] for line in lines if line.startswith("page"))
            code, out, err = run("-q", "--raw", picture_of(rows, os.path.join(place, "qr.pgm")), program="zbarimg")
            assert code == 0 and out.strip() == page, (out, page, err)
            assert page.startswith(f"{server.url}/receive#"), page


def test_send_and_receive_need_little_memory_however_large_the_file():
    with scene() as (server, source, to):
        path = os.path.join(source, "large.bin")
        with open(path, "wb") as handle:
            handle.truncate(500 * MEGABYTE)
        part = os.path.join(to, "large.bin.linnet.part")
        with Sender(server, path) as sender, receiving(server, sender.code, to) as receiver:
            until(lambda: os.path.exists(part) and os.path.getsize(part) >= 400 * MEGABYTE, receiver, 100)
            peaks = peak_memory(sender.process), peak_memory(receiver.process)
            assert receiver.end(100) == 0 and sender.end() == 0, (receiver, sender)
        assert max(peaks) < 80 * MEGABYTE, peaks  # less than the window and the file's tenth part


def test_send_forgets_a_code_that_nobody_used_after_twice_30_s():
    with scene() as (server, source, _):
        with Sender(server, make(os.path.join(source, "a"), 1), "--expires", "1") as sender:
            assert sender.end(90) == 6, sender
            assert "nobody came in time" in sender.text("err")


def stopped_by_the_sender(sender, receiver):
    sender.signal(signal.SIGINT)
    assert sender.end() == 130 and receiver.end() == 5, (sender, receiver)
    assert "the sender stopped it" in receiver.text("err")


def stopped_by_the_receiver(sender, receiver):
    receiver.signal(signal.SIGINT)
    assert receiver.end() == 130 and sender.end() == 5, (sender, receiver)
    assert "the receiver stopped it" in sender.text("err")


def check_stop(stop):
    with scene() as (server, source, to):
        with Sender(server, make(os.path.join(source, "big.bin"), 300 * MEGABYTE)) as sender:
            part = os.path.join(to, "big.bin.linnet.part")
            with receiving(server, sender.code, to) as receiver:
                until(lambda: os.path.exists(part) and os.path.getsize(part) >= MEGABYTE, receiver)
                stop(sender, receiver)
        assert parts(to) == ["big.bin.linnet.part"]


def test_ctrl_c_at_the_sender_is_said_to_the_receiver():
    check_stop(stopped_by_the_sender)


def test_ctrl_c_at_the_receiver_is_said_to_the_sender():
    check_stop(stopped_by_the_receiver)


def transfer(server, path, to, *arguments):
    """Exit codes of sender and receiver, and what the latter said."""
    with Sender(server, path) as sender:
        code, err = receive(server, sender.code, to, *arguments)
        return sender.end(), code, err


def test_receive_overwrites_nothing_without_force():
    with scene() as (server, source, to):
        path = make(os.path.join(source, "a.bin"), 3 * MEGABYTE)
        make(os.path.join(to, "a.bin"), 3 * MEGABYTE, seed=1)
        before = os.stat(os.path.join(to, "a.bin"))
        sent, code, err = transfer(server, path, to)
        assert (sent, code) == (0, 1) and "is another file; --force overwrites it" in err, err
        after = os.stat(os.path.join(to, "a.bin"))
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns) and parts(to) == []
        sent, code, err = transfer(server, path, to, "--force")
        assert (sent, code) == (0, 0), err
        assert filecmp.cmp(path, os.path.join(to, "a.bin"), shallow=False)


def test_receive_finds_that_what_is_there_is_the_same():
    with scene() as (server, source, to):
        path = make(os.path.join(source, "a.bin"), 3 * MEGABYTE + 1)
        make(os.path.join(to, "a.bin"), 3 * MEGABYTE + 1)
        sent, code, err = transfer(server, path, to)
        assert (sent, code) == (0, 0) and "received: 0 bytes" in err, err


def test_receive_follows_no_link():
    with scene() as (server, source, to):
        outside = os.path.join(os.path.dirname(to), "outside")
        os.mkdir(outside)
        make(os.path.join(source, "tree/sub/a"), 5)
        make(os.path.join(source, "tree/b"), 5)
        make(os.path.join(source, "tree/c"), 5)
        os.mkdir(os.path.join(to, "tree"))
        os.symlink(outside, os.path.join(to, "tree/sub"))                                # a folder on the way
        os.symlink(os.path.join(outside, "b"), os.path.join(to, "tree/b"))               # the file itself
        os.symlink(os.path.join(outside, "c"), os.path.join(to, "tree/c.linnet.part"))   # its unfinished one
        sent, code, err = transfer(server, os.path.join(source, "tree"), to)
        assert (sent, code) == (0, 1), err
        assert "through what is a link" in err and "it is a link here" in err and "no unfinished file of ours" in err, err
        sent, code, err = transfer(server, os.path.join(source, "tree"), to, "--force")
        assert code == 1 and os.listdir(outside) == [], err
        assert not os.path.islink(os.path.join(to, "tree/b"))  # the link was replaced, not what it leads to


def test_receive_waits_for_no_disk_that_is_not_there():
    code, _, err = run("receive", "4711-anchor-velvet-otter", "-o", "/nonexistent/below")
    assert code == 1 and "cannot be made" in sentence(err), err


def test_send_is_told_that_the_server_is_not_there_after_30_s():
    with socket.create_server(("127.0.0.1", 0)) as silent, folder() as place:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Program(LINNET, "send", make(os.path.join(place, "a"), 1), "--to", url) as sender:
            assert sender.end(45) == 3, sender
            assert "could not be reached in 30 s" in sender.text("err")


def test_receive_finds_nobody_under_the_number_after_30_s():
    with scene() as (server, _, to):
        with receiving(server, "4711-anchor-velvet-otter", to) as receiver:
            assert receiver.end(45) == 3, receiver
            assert "nobody sends under this number" in receiver.text("err")


if __name__ == "__main__":
    run_all(globals())
