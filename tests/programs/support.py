# SPDX-License-Identifier: Apache-2.0
"""What the tests of the programs lean on: a process whose lines can be waited for, a running `linnet
serve`, and a runner that ends with `N passed, N failed`.

Nothing here sleeps: every wait is for a line, an answer or an end, and has a deadline. Tests run some
at a time, those that wait for half a minute first. Whatever was started is gone at the end."""
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINNET = os.environ.get("LINNET", os.path.join(ROOT, "build/cli/linnet"))
SECONDS = 20  # a deadline is for what went wrong; nothing that goes well takes as long
AT_A_TIME = 4
LINE_SHOWN = 400  # characters of a line in a message about what went wrong
started = []  # every process, so that none outlives the tests
network = threading.local()  # `enter`: the words before a command that run it in own_network()


@contextlib.contextmanager
def own_network(prepare=""):
    """What this thread runs meanwhile runs in a network of its own, where a test that changes it takes no address or
    port away from the others, which run at the same time. `prepare`: lines for its shell."""
    lines = f"ip link set lo up\n{prepare}\necho ready\nexec cat"
    keeper = subprocess.Popen(["unshare", "--net", "sh", "-ec", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert keeper.stdout.readline() == b"ready\n"
        network.enter = ("nsenter", f"--net=/proc/{keeper.pid}/ns/net")
        yield
    finally:
        network.enter = ()
        keeper.stdin.close()
        keeper.wait()
        keeper.stdout.close()


def in_network(*command):
    return (*getattr(network, "enter", ()), *command)


class Program:
    """A process in a session of its own; its output is kept line by line."""

    def __init__(self, *command, directory=None):
        self.command = in_network(*command)
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True, cwd=directory)
        started.append(self.process)
        self.lines = {"out": [], "err": []}
        self.read = {"out": 0, "err": 0}
        self.open = 2
        self.changed = threading.Condition()
        for name, stream in (("out", self.process.stdout), ("err", self.process.stderr)):
            threading.Thread(target=self._collect, args=(name, stream), daemon=True).start()

    def _collect(self, name, stream):
        for line in stream:
            with self.changed:
                self.lines[name].append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def expect(self, wanted, seconds=SECONDS, stream="out"):
        """The next line for which wanted() is true (or in which the pattern is found); those before it
        are passed over."""
        pattern = re.compile(wanted) if isinstance(wanted, str) else None
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                while self.read[stream] < len(self.lines[stream]):
                    line = self.lines[stream][self.read[stream]]
                    self.read[stream] += 1
                    match = pattern.search(line) if pattern else wanted(line)
                    if match:
                        return match if pattern else line
                left = deadline - time.monotonic()
                assert left > 0 and self.open, f"this line did not come: {wanted}\n{self}"
                self.changed.wait(left)

    def expect_json(self, wanted, seconds=SECONDS):
        """The next object on standard output for which wanted() is true."""
        def fits(line):
            return wanted(json.loads(line))

        return json.loads(self.expect(fits, seconds))

    def send(self, line):
        self.process.stdin.write((json.dumps(line) if isinstance(line, dict) else line).encode() + b"\n")
        self.process.stdin.flush()

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, seconds=SECONDS):
        """Waits until it ends by itself and all of its output is read; gives the exit code."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end\n{self}") from None
        with self.changed:
            assert self.changed.wait_for(lambda: self.open == 0, SECONDS), f"its output is held open\n{self}"
        return code

    def close(self, seconds=SECONDS):
        """Closes its input and waits for the end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.end(seconds)

    def text(self, stream="out"):
        return "\n".join(self.lines[stream])

    def left_behind(self):
        """Whether a process of its session still runs."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def __str__(self):
        last = {name: [line[:LINE_SHOWN] for line in lines[-12:]] for name, lines in self.lines.items()}
        return f"$ {' '.join(self.command)}\nout: {last['out']}\nerr: {last['err']}\nexit code: {self.process.poll()}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        kill(self.process)


def kill(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def linnet(*arguments):
    return Program(LINNET, *arguments)


def run(*arguments, input_=b"", program=LINNET, seconds=SECONDS):
    """Runs to the end; gives exit code, standard output and standard error."""
    with Program(program, *arguments) as ran:
        with contextlib.suppress(BrokenPipeError):
            ran.process.stdin.write(input_)
        return ran.close(seconds), ran.text("out"), ran.text("err")


def sentence(text):
    """Standard error must be one sentence, of one line."""
    lines = text.strip().split("\n")
    assert len(lines) == 1 and len(lines[0]) > 20, text
    return lines[0]


unasked_ports = iter(range(20000, 30000))


def unused_port():
    """A port of 127.0.0.1 on which nobody listens: below the range of those that are given out, and given to no
    other test, which may run at the same time and listen there."""
    for port in unasked_ports:
        with contextlib.closing(socket.socket()) as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port")


class Server(Program):
    """`linnet serve` on ports of its own, once it says that it serves."""

    def __init__(self, *arguments, listen="127.0.0.1:0", stun="127.0.0.1:0"):
        super().__init__(LINNET, "serve", "--dev", "--listen", listen, "--stun", stun, *arguments)
        self.stun = None
        try:
            self.url = self.expect(r"page +(https?://\S+)/$").group(1)
            if stun != "none":
                where = self.expect(r"stun +stun:(\S+):(\d+)$")
                self.stun = (where.group(1), int(where.group(2)))
            self.expect("Ctrl-C ends it")
        except AssertionError:
            kill(self.process)
            raise

    def get(self, path="/", **options):
        """Status, headers and body; a certificate made just now is taken."""
        context = ssl._create_unverified_context() if self.url.startswith("https") else None
        request = urllib.request.Request(self.url + path, **options)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS, context=context) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def metrics(self):
        """The figures by name with labels, after a look at the grammar of the text."""
        status, headers, body = self.get("/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
        return read_prometheus(body.decode())

    def until(self, wanted, seconds=SECONDS):
        """Asks for the figures until wanted() is true of them."""
        deadline = time.monotonic() + seconds
        while True:
            figures = self.metrics()
            if wanted(figures):
                return figures
            assert time.monotonic() < deadline, figures
            time.sleep(0.05)

    def stop(self, number=signal.SIGINT):
        self.signal(number)
        return self.end()


def udp_ports(process):
    """Those that a process has open now."""
    inodes = set()
    for entry in os.scandir(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(OSError):
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(entry.path)))
    ports = []
    for table in ("udp", "udp6"):
        with open(f"/proc/{process.pid}/net/{table}", encoding="ascii") as handle:
            for fields in map(str.split, list(handle)[1:]):
                if fields[9] in inodes:
                    ports.append(str(int(fields[1].rsplit(":", 1)[1], 16)))
    return ports


@contextlib.contextmanager
def dead_paths(*programs):
    """No datagram arrives any more at a UDP port that one of them has open now; in own_network()."""
    def nft(*words):
        subprocess.run(in_network("nft", *words), check=True, capture_output=True)

    ports = ",".join(port for program in programs for port in udp_ports(program.process))
    table = f"linnet-{programs[0].process.pid}"
    nft("add", "table", "inet", table)
    try:
        nft("add", "chain", "inet", table, "input", "{ type filter hook input priority 0 ; }")
        nft("add", "rule", "inet", table, "input", "udp", "dport", f"{{ {ports} }}", "drop")
        yield
    finally:
        nft("delete", "table", "inet", table)


def carry(source, target):
    """Carries signalling across; what is not for the other side stays to be expected."""
    def is_signalling(line):
        message = json.loads(line)
        return "type" in message or "candidate" in message

    def work():
        done = 0
        while True:
            with source.changed:
                if not source.changed.wait_for(lambda: len(source.lines["out"]) > done or not source.open, SECONDS):
                    continue
                if len(source.lines["out"]) == done:
                    return
                line = source.lines["out"][done]
                done += 1
            if is_signalling(line):
                try:
                    target.send(line)
                except (BrokenPipeError, ValueError):
                    return

    threading.Thread(target=work, daemon=True).start()


def connect(offerer, answerer):
    carry(offerer, answerer)
    carry(answerer, offerer)


def read_prometheus(text):
    """Prometheus text format 0.0.4; each family has its help and its type, before its samples, once."""
    assert text.endswith("\n")
    figures, types, helps = {}, {}, set()
    for line in text.rstrip("\n").split("\n"):
        if match := re.fullmatch(r"# HELP ([a-zA-Z_:][\w:]*) (.+)", line):
            assert match.group(1) not in helps, line
            helps.add(match.group(1))
        elif match := re.fullmatch(r"# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge)", line):
            assert match.group(1) not in types, line
            types[match.group(1)] = match.group(2)
        else:
            match = re.fullmatch(r'([a-zA-Z_:][\w:]*)((?:\{[a-z_]+="[^"\\\n]*"\})?) (\d+)', line)
            assert match, line
            name = match.group(1)
            assert name in types and name in helps, line
            assert (types[name] == "counter") == name.endswith("_total"), line
            assert name + match.group(2) not in figures, line
            figures[name + match.group(2)] = int(match.group(3))
    return figures


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="linnet-test-") as path:
        yield path


def write(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
    return path


def openssl(place, *words):
    subprocess.run(("openssl", *words), cwd=place, check=True, capture_output=True, timeout=SECONDS)


def dated_certificate(place, start, end):
    """A certificate for turn.example.org that is valid between the two (YYMMDD), and its key."""
    write(os.path.join(place, "ca.conf"), "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
          "policy=p\nx509_extensions=v3\ndefault_md=sha256\n[p]\ncommonName=supplied\n"
          "[v3]\nsubjectAltName=DNS:turn.example.org\nbasicConstraints=CA:TRUE\n")
    write(os.path.join(place, "index.txt"), "")
    write(os.path.join(place, "serial"), "01\n")
    openssl(place, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
            "-out", "request.pem", "-subj", "/CN=another name")
    openssl(place, "ca", "-config", "ca.conf", "-selfsign", "-batch", "-notext", "-keyfile", "key.pem", "-in",
            "request.pem", "-out", "cert.pem", "-startdate", f"{start}000000Z", "-enddate", f"{end}000000Z")
    return os.path.join(place, "cert.pem"), os.path.join(place, "key.pem")


def one(function):
    begin = time.monotonic()
    try:
        function()
        return None, time.monotonic() - begin
    except Exception:
        return traceback.format_exc(), time.monotonic() - begin


def run_all(namespace, at_a_time=AT_A_TIME, finish=None):
    """Runs every function named test_... (of which the argument is a part of the name), then `finish`."""
    def give_up(number, frame):
        for process in started:
            kill(process)
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, give_up)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = [(name, f) for name, f in namespace.items() if name.startswith("test_") and wanted in name]
    tests.sort(key=lambda test: "30_s" not in test[0])
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_a_time + sum("30_s" in t[0] for t in tests)) as pool:
        running = {pool.submit(one, function): name for name, function in tests}
        for future in concurrent.futures.as_completed(running):
            wrong, seconds = future.result()
            print(f"{'FAILED' if wrong else 'ok'} {running[future]} ({seconds:.1f} s)", flush=True)
            if wrong:
                failed += 1
                print(wrong, flush=True)
    if finish:
        finish()
    for process in started:
        if process.poll() is None:
            failed += 1
            print(f"FAILED process {process.args} was left behind", flush=True)
            kill(process)
    print(f"{len(tests) - failed} passed, {failed} failed", flush=True)
    sys.stdout.flush()
    os._exit(1 if failed or not tests else 0)
