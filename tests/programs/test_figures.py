# SPDX-License-Identifier: Apache-2.0
"""tools/figures as a judge: a made-up `linnet bench` gives rows that meet the goals, miss them or lack
what they are compared with. The real figures are measured by `./check long`."""
import contextlib
import json
import os
import re

from support import ROOT, Program, folder, run_all, write

GOOD = {
    "setup": [{"stack": "linnet", "connect_ms_median": 1.4, "connect_ms_max": 3.0, "round_trips": 5.0},
              {"stack": "pion", "connect_ms_median": 2.2}, {"stack": "wrtc", "connect_ms_median": 7.3}],
    "data": [{"stack": "linnet", "mb_per_s": 160.0, "cpu_s_per_gib": 7.0},
             {"stack": "wrtc", "mb_per_s": 79.0, "cpu_s_per_gib": 15.6}],
    "idle": [{"stack": "linnet", "bytes_per_peer": 73000, "idle_cores": 0.019},
             {"stack": "pion", "bytes_per_peer": 245000}, {"stack": "wrtc", "bytes_per_peer": 387000}],
    "srtp": [{"stack": "linnet", "profile": "P", "direction": "protect", "ns": 109.0, "ns_evp": 100.0}],
    "latency": [{"stack": "linnet", "p50_ms": 15.0, "p95_ms": 17.0, "frame_ms": 33.3}],
}


@contextlib.contextmanager
def figures(rows):
    """Runs the tool on these rows; gives exit code and lines."""
    with folder() as path:
        for bench, some in rows.items():
            write(f"{path}/{bench}", json.dumps({"bench": bench, "machine": {}, "rows": some}))
        program = write(f"{path}/linnet", f'#!/bin/sh\necho "$2" >>{path}/asked\ncat {path}/$2\n')
        os.chmod(program, 0o755)

        def judge(*benches):
            with Program("env", f"LINNET={program}", os.path.join(ROOT, "tools/figures"), *benches) as ran:
                code = ran.end()
                with open(f"{path}/asked", encoding="utf-8") as asked:
                    return code, ran.lines["out"], ran.text("err"), asked.read().split()

        yield judge


def test_figures_that_meet_their_goals_pass():
    with figures(GOOD) as judge:
        code, lines, err, asked = judge()
        assert code == 0 and err == "", (lines, err)
        assert lines[-1] == f"{len(lines) - 1} passed, 0 failed" and all(line.startswith("ok ") for line in lines[:-1]), lines
        assert asked == ["setup", "data", "idle", "idle", "idle", "srtp", "latency"], asked


def test_figures_that_miss_a_goal_fail_after_three_tries():
    misses = (("setup", "connect_ms_median", 2.3), ("setup", "connect_ms_max", 21.0), ("data", "mb_per_s", 157.0),
              ("data", "cpu_s_per_gib", 8.0), ("idle", "bytes_per_peer", 102401), ("idle", "idle_cores", 0.021),
              ("srtp", "ns", 111.0), ("latency", "p50_ms", 84.0))
    for bench, member, value in misses:
        with figures({**GOOD, bench: [{**GOOD[bench][0], member: value}, *GOOD[bench][1:]]}) as judge:
            code, lines, _, asked = judge(bench)
            assert code == 1 and asked == [bench] * 3, (code, asked)
            assert sum(line.startswith(f"FAILED {bench}: ") for line in lines) == 1, lines
            assert re.fullmatch(r"\d+ passed, 1 failed", lines[-1]), lines


def test_figures_without_the_other_stack_fail():
    for bench in ("setup", "data", "idle"):
        with figures({**GOOD, bench: GOOD[bench][:1]}) as judge:
            code, lines, _, _ = judge(bench)
            assert code == 1 and any(line.startswith("FAILED") and line.endswith("not measured") for line in lines), lines


def test_figures_without_rows_say_so():
    with figures({**GOOD, "setup": []}) as judge:
        code, lines, _, _ = judge("setup")
        assert code == 1 and "FAILED setup: a set-up takes: not measured" in lines, lines
    with figures({}) as judge:
        code, lines, err, _ = judge("srtp")
        assert code == 1 and "gave no rows" in err, (code, lines, err)
    with Program(os.path.join(ROOT, "tools/figures"), "speed") as ran:
        assert ran.end() == 1 and 'no bench "speed"' in ran.text("err"), ran


if __name__ == "__main__":
    run_all(globals())
