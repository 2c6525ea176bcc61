# SPDX-License-Identifier: Apache-2.0
"""The two commands of the README: ./run in a tree that was never built, and how ./check counts suites that
pass, fail, end early or run nothing (the suites are made up, ./check is the real one)."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import urllib.request

from support import ROOT, SECONDS, Program, folder, linnet, run_all, write

BUILD_SECONDS = 600  # of a release build without a compiler cache, while other tests run


def files_of_the_tree():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in os.fsdecode(listed).split("\0") if name and os.path.exists(os.path.join(ROOT, name))]


@contextlib.contextmanager
def fresh_tree():
    """Two folders: a copy of what git has of the tree, and an empty one for temporary files."""
    with folder() as path:
        tree, temporary = os.path.join(path, "linnet"), os.path.join(path, "tmp")
        os.mkdir(temporary)
        for name in files_of_the_tree():
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(tree, name), follow_symlinks=False)
        yield tree, temporary


def everything_in(tree):
    return sorted(os.path.relpath(os.path.join(base, name), tree)
                  for base, folders, names in os.walk(tree) for name in names)


def test_run_makes_a_call_from_a_tree_that_was_never_built():
    with fresh_tree() as (tree, temporary):
        before = everything_in(tree)
        with Program("env", f"TMPDIR={temporary}", "./run", "--listen", "127.0.0.1:0", "--stun", "127.0.0.1:0",
                     directory=tree) as ran:
            url = ran.expect(r"page +(http://127\.0\.0\.1:\d+)/$", BUILD_SECONDS).group(1)
            ran.expect("Ctrl-C ends it")
            with urllib.request.urlopen(url + "/", timeout=SECONDS) as page:
                assert b"Join" in page.read()
            with linnet("join", url, "--loopback", "--name", "eve", "--video", "test") as guest:
                guest.expect("^studio +connected .* sees 640x480 ")
                ran.expect(r"^eve +connected .* sees 640x480 [\d.]+ fps \d+ kbit/s loss [\d.]+ % jitter .*rtt [\d.]+ ms")
            os.killpg(ran.process.pid, signal.SIGINT)  # as a terminal does: to the whole group
            assert ran.end() == 0 and ran.text("err") == "", ran
            assert not ran.left_behind(), ran
        assert os.listdir(temporary) == []
        made = set(everything_in(tree)) - set(before)
        assert made and all(name.startswith("build/") for name in made), made


@contextlib.contextmanager
def made_up_suites(programs, build="true"):
    """A tree of ./check with these scripts and a command for a build; gives what runs it."""
    with folder() as tree:
        shutil.copy2(os.path.join(ROOT, "check"), tree)
        scripts = {"tools/install": "", "tools/check-exports": "echo 1 passed, 0 failed",
                   "tools/check-man": "echo 1 passed, 0 failed", **programs}
        for name, text in scripts.items():
            path = os.path.join(tree, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.chmod(write(path, f"#!/bin/sh\n{text}\n"), 0o755)
        os.makedirs(os.path.join(tree, "build-san"), exist_ok=True)
        write(os.path.join(tree, "build-san/build.ninja"), f"rule made\n  command = {build}\nbuild all: made\n")

        def check(*suites):
            with Program("./check", *suites, directory=tree) as ran:
                return ran.end(), ran.lines["out"]

        yield check


def counted(lines, suite):
    """Passed and failed of the one line of a suite."""
    found = [re.fullmatch(rf"{suite} +(\d+) passed, (\d+) failed  \(\d+ s\)", line) for line in lines]
    found = [match for match in found if match]
    assert len(found) == 1, (suite, lines)
    return int(found[0].group(1)), int(found[0].group(2))


def test_check_prints_a_line_a_suite_and_the_sum():
    programs = {"build-san/tests/unit-one": "echo 3 passed, 0 failed", "build-san/tests/replay-two": "echo 200 passed, 0 failed"}
    with made_up_suites(programs) as check:
        code, lines = check("unit", "corpora")
        assert code == 0 and counted(lines, "unit") == (5, 0) and counted(lines, "corpora") == (200, 0), lines
        assert lines[-1] == "205 passed, 0 failed", lines


def test_check_fails_with_a_suite_that_ran_no_test():
    with made_up_suites({"build-san/tests/unit-one": "echo 3 passed, 0 failed"}) as check:
        code, lines = check("unit", "corpora")
        assert code == 1 and "corpora ran no test" in lines and counted(lines, "corpora") == (0, 1), lines
        assert counted(lines, "unit") == (5, 0) and lines[-1] == "5 passed, 1 failed", lines


def test_check_fails_with_a_program_that_ran_no_test():
    for nothing in ("echo 0 passed, 0 failed", "true"):
        with made_up_suites({"build-san/tests/unit-one": nothing, "build-san/tests/unit-two": "echo 3 passed, 0 failed"}) as check:
            code, lines = check("unit")
            assert code == 1 and counted(lines, "unit") == (5, 1), lines
            assert any(line.endswith("unit-one.txt ran no test") for line in lines), lines


def test_check_counts_what_fails_and_what_ends_early():
    programs = {"build-san/tests/unit-fails": "echo FAILED: this one; echo 1 passed, 2 failed; exit 1",
                "build-san/tests/unit-crashes": "echo 4 passed, 0 failed; kill -SEGV $$"}
    with made_up_suites(programs) as check:
        code, lines = check("unit")
        assert code == 1 and counted(lines, "unit") == (7, 3) and lines[-1] == "7 passed, 3 failed", lines
        assert "FAILED: this one" in lines, lines


def test_check_fails_when_the_build_does():
    with made_up_suites({"build-san/tests/unit-one": "echo 3 passed, 0 failed"}, build="false") as check:
        code, lines = check("unit")
        assert code == 1 and lines[-2:] == ["the build failed", "0 passed, 1 failed"], lines


if __name__ == "__main__":
    run_all(globals())
