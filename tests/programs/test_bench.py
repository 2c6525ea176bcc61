# SPDX-License-Identifier: Apache-2.0
"""`linnet bench` as a program: each bench prints one JSON object with the members that are promised. The
figures themselves are not judged here: the machine is busy with other tests."""
import json

from support import run, run_all


def bench(name, *arguments):
    code, out, err = run("bench", name, "--json", *arguments, seconds=120)
    assert code == 0 and err == "", (code, out, err)
    assert "\n" not in out, out
    result = json.loads(out)
    assert list(result) == ["bench", "machine", "rows"] and result["bench"] == name, result
    assert set(result["machine"]) >= {"cpu", "cores", "kernel", "linnet"}, result["machine"]
    assert result["rows"] and all(row["stack"] in ("linnet", "machine", "machine-gso") for row in result["rows"]), result
    return result["rows"]


def positive(row, *members):
    for member in members:
        assert isinstance(row[member], (int, float)) and row[member] > 0, (member, row)


def test_bench_setup_has_its_members():
    (row,) = bench("setup", "--runs", "5")
    positive(row, "connect_ms_median", "connect_ms_p95", "connect_ms_max", "round_trips")
    assert row["connect_ms_median"] <= row["connect_ms_p95"] <= row["connect_ms_max"], row
    assert row["runs"] == 5, row


def test_bench_idle_has_its_members():
    (row,) = bench("idle", "--runs", "4", "--seconds", "1")
    positive(row, "bytes_per_peer", "own_bytes_per_peer", "openssl_bytes_per_peer")
    assert row["peers"] == 8 and 0 <= row["idle_cores"] < 1, row


def test_bench_idle_holds_two_thousand_peers_on_real_sockets():
    (row,) = bench("idle", "--runs", "1000", "--seconds", "1")
    assert row["peers"] == 2000 and row["bytes_per_peer"] < 100 << 10, row


def test_bench_idle_holds_two_thousand_peers_on_one_port():
    (row,) = bench("idle", "--runs", "2000", "--seconds", "1", "--one-port")
    assert row["one_port"] and row["peers"] == 4000 and row["bytes_per_peer"] < 100 << 10, row
    assert row["descriptors"] % 2000 < 32, row  # those of the other ends, and one for each address of the port


def test_bench_data_has_its_members():
    *rows, machine = bench("data", "--runs", "1", "--seconds", "1", "--sizes", "1024,65536", "--direction", "forth,both")
    assert [(row["message_bytes"], row["direction"]) for row in rows] == [
        (1024, "forth"), (1024, "both"), (65536, "forth"), (65536, "both")], rows
    assert machine["stack"] == "machine", machine
    positive(machine, "cpu_s_per_gib", "cipher_s_per_gib", "sockets_s_per_gib")
    for row in rows:
        positive(row, "mb_per_s", "messages_per_s", "cpu_s_per_gib", "rss_kib")
        carried = row["messages_per_s"] * row["message_bytes"] / 1e6
        assert abs(carried / row["mb_per_s"] - 1) < 0.01, row


def test_bench_data_streams_one_message_in_flat_memory():
    """A message four times as long as what both ends may hold of it."""
    *_, row, machine = bench("data", "--runs", "1", "--seconds", "1", "--sizes", "65536", "--streamed", "512")
    assert row["direction"] == "streamed" and row["message_bytes"] == 512 << 20, row
    positive(row, "mb_per_s", "cpu_s_per_gib", "rss_kib", "rss_before_kib")
    # The send buffer and the receive window are 64 MiB each; blocks are up to a quarter larger.
    assert row["rss_kib"] - row["rss_before_kib"] < 2 * 64 * 1024 * 5 // 4, row


def test_bench_srtp_has_its_members():
    rows = bench("srtp", "--runs", "1")
    assert len({row["profile"] for row in rows}) == 3 and len(rows) == 6, rows
    for row in rows:
        assert row["direction"] in ("protect", "unprotect") and row["bytes"] == 1200, row
        positive(row, "ns", "ns_evp")


def test_bench_turn_has_its_members():
    rows = bench("turn", "--runs", "1")
    batchings = ("single", "four", "gso")
    expected = [("channel", b, s) for b in batchings for s in ("machine", "machine-gso", "linnet")]
    expected += [("indication", b, "linnet") for b in batchings]
    assert [(row["framing"], row["batching"], row["stack"]) for row in rows] == expected, rows
    for row in rows:
        positive(row, "packets_per_cpu_s", "mbit_per_s")
        assert row["payload_bytes"] == 200 and row["flows"] == 100, row
        if row["batching"] == "single" and row["framing"] == "channel":
            positive(row, "p50_us", "p99_us")
    for at, row in enumerate(rows):
        if row["stack"] == "linnet":
            positive(row, "allocations_per_s", "bytes_per_allocation")
        if row["stack"] == "linnet" and row["framing"] == "channel":
            limit = max(r["packets_per_cpu_s"] for r in rows[at - 2:at])
            assert abs(row["of_machine"] - row["packets_per_cpu_s"] / limit) < 0.001, (row, limit)


def test_bench_resident_has_its_members():
    rows = bench("resident", "--runs", "1")
    assert [row["way"] for row in rows] == ["kernel", "memory"] and rows[0]["of_kernel"] == 1, rows
    for row in rows:
        positive(row, "packets_per_cpu_s", "mbit_per_s", "of_kernel")
        assert (row["payload_bytes"], row["flows"], row["batching"]) == (200, 100, "single"), row


def test_bench_latency_has_its_members():
    (row,) = bench("latency", "--seconds", "1")
    positive(row, "p50_ms", "p95_ms", "frame_ms")
    assert row["p50_ms"] <= row["p95_ms"], row


def test_bench_paths_has_its_members():
    rows = bench("paths", "--seconds", "1", "--rate", "10", "--rtt", "20", "--loss", "0,1")
    assert [(row["control"], row["loss_percent"]) for row in rows] == [
        ("cubic", 0), ("cubic", 1), ("model", 0), ("model", 1)], rows
    for row in rows:
        assert row["link_share"] > 0.1 and row["queue_max_ms"] >= row["queue_mean_ms"] >= 0, row


def test_bench_without_json_prints_a_row_for_people():
    code, out, err = run("bench", "srtp", "--runs", "1")
    assert code == 0 and err == "" and out.count("\n") == 5 and out.startswith("linnet  "), (code, out, err)


def test_bench_says_which_stack_gave_no_figures():
    code, out, err = run("bench", "setup", "--runs", "1", "--json", "--with", "nonesuch")
    assert code == 0 and "nonesuch gave no figures (is it installed?)" in err, (code, err)
    assert [row["stack"] for row in json.loads(out)["rows"]] == ["linnet"], out


if __name__ == "__main__":
    run_all(globals())
