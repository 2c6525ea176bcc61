# SPDX-License-Identifier: Apache-2.0
"""Whom `linnet turn` and `linnet serve` take: credentials that end, users of a database, users and secrets of redis."""
import base64
import contextlib
import hashlib
import hmac
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

from support import SECONDS, Server, folder, run, run_all, sentence, unused_port, write
from turn_client import REFRESH, Client, allocates, attribute, counts, eventually, turn


def test_turn_takes_ephemeral_credentials_that_it_minted():
    code, out, _ = run("turn", "credentials", "--secret", "north", "--user", "carol", "--ttl", "60")
    assert code == 0, out
    name, password = re.fullmatch(r"username +(\d+:carol)\ncredential +(\S+)\s*", out).groups()
    assert password == base64.b64encode(hmac.new(b"north", name.encode(), hashlib.sha1).digest()).decode()
    with turn("--secret", "south", "--secret", "north", users=()) as server:
        assert Client(server.port, name, password).allocate()[0] == 0
        assert Client(server.port, "1:carol", password).allocate()[0] == 401


def users_database(place, *users):
    """The table as coturn's turnadmin makes it."""
    path = os.path.join(place, "users.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE IF NOT EXISTS turnusers_lt (realm varchar(127) default '', name varchar(512), "
                     "hmackey char(128), PRIMARY KEY (realm,name))")
        for realm, name, password in users:
            key = hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest()
            base.execute("INSERT OR REPLACE INTO turnusers_lt VALUES (?, ?, ?)", (realm, name, key))
    return path


def test_turn_takes_users_from_a_database():
    with folder() as place:
        path = users_database(place, ("example.org", "erin", "one"), ("elsewhere.org", "frank", "two"))
        with turn("--users-database", path) as server:
            code, answer = Client(server.port, "erin", "one").allocate()
            assert code == 0, code
            assert Client(server.port, "alice", "secret").allocate()[0] == 0  # of the command line
            assert Client(server.port, "erin", "two").allocate()[0] == 401
            assert Client(server.port, "frank", "two").allocate()[0] == 401
            users_database(place, ("example.org", "erin", "three"), ("example.org", "gina", "four"))
            server.process.send_signal(signal.SIGHUP)
            server.expect("read again", stream="err")
            assert Client(server.port, "erin", "one").allocate()[0] == 401
            assert Client(server.port, "erin", "three").allocate()[0] == 0
            assert Client(server.port, "gina", "four").allocate()[0] == 0
            with contextlib.closing(sqlite3.connect(path)) as base, base:
                base.execute("UPDATE turnusers_lt SET hmackey = 'secret' WHERE name = 'gina'")
            server.process.send_signal(signal.SIGHUP)
            assert "gina" in server.expect("hexadecimal digits", stream="err").string
            server.expect("stays in force", stream="err")
            assert Client(server.port, "gina", "four").allocate()[0] == 0
    for path in ("/nowhere/users.sqlite", os.path.abspath(__file__)):
        code, out, err = run("turn", "--users-database", path)
        assert code == 1 and out == "" and path in sentence(err), (code, err)


class Redis:
    """Debian's redis-server in a folder of its own; what is said to it is written here byte by byte."""

    def __init__(self, place, port=0, password=""):
        self.port = port or unused_port()
        self.password = password
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir",
                                         place, *(("--requirepass", password) if password else ())],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "Ready to accept" in line:
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(SECONDS)

    def say(self, *commands):
        if self.password:
            commands = (("AUTH", self.password), *commands)
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.port), SECONDS)) as sock:
            for words in (*commands, ("QUIT",)):
                sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
                                                            for word in words))
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        assert b"-" not in answer.split(b"\r\n")[0][:1] and answer.endswith(b"+OK\r\n"), answer

    def user(self, name, password, realm="example.org"):
        return ("SET", f"turn/realm/{realm}/user/{name}/key", hashlib.md5(f"{name}:{realm}:{password}".encode()).hexdigest())


def redis_config(place, redis, seconds, more="  secrets: [one, two, three]\n"):
    path = os.path.join(place, "linnet.yaml")
    write(path, f"turn:\n  users_redis: 127.0.0.1:{redis}/3\n  redis_password: sesame\n  redis_seconds: {seconds}\n"
                f"  users: [\"alice:secret\"]\n{more}")
    return path


def test_turn_takes_users_and_secrets_from_redis_and_sees_them_change():
    metrics = unused_port()
    with folder() as place, Redis(place, password="sesame") as redis:
        many = [redis.user(f"user-{number}", f"word-{number}") for number in range(3000)]
        redis.say(("SELECT", "3"), redis.user("erin", "one"), redis.user("frank", "two", "elsewhere.org"),
                  redis.user("of/fice", "three"), redis.user("alice", "other"), *many,
                  ("SET", "turn/realm/example.org/user/gina/key", "secret"), ("SET", "turn/realm/exampleXorg/user/x/key", "y"),
                  ("SADD", "turn/realm/example.org/secret", "south", "x" * 300), ("RPUSH", "turn/realm/example.org/user/list/key", "z"))
        with turn("--config", redis_config(place, redis.port, 1), "--metrics", f"127.0.0.1:{metrics}") as server:
            eventually(lambda: allocates(server, "erin", "one") == 0)  # a slow machine reads them after the start
            for name, password, code in (("erin", "one", 0), ("of/fice", "three", 0), ("user-2999", "word-2999", 0),
                                         ("alice", "secret", 0), ("alice", "other", 401), ("erin", "two", 401),
                                         ("frank", "two", 401), ("gina", "secret", 401)):
                assert allocates(server, name, password) == code, (name, password)
            expiry = f"{int(time.time()) + 600}:hugo"
            assert allocates(server, expiry, base64.b64encode(hmac.digest(b"south", expiry.encode(), "sha1")).decode()) == 0
            told = counts(metrics)
            assert told["redis_up"] == 1 and told["redis_failures_total"] == 0, told
            assert told["redis_users"] == 3003 and told["redis_secrets"] == 1, told
            assert told["redis_bad_entries"] == 2, told
            redis.say(("SELECT", "3"), redis.user("erin", "four"), redis.user("ines", "five"),
                      ("DEL", "turn/realm/example.org/user/of/fice/key", "turn/realm/example.org/secret"))
            eventually(lambda: allocates(server, "ines", "five") == 0)
            assert allocates(server, "erin", "one") == 401 and allocates(server, "erin", "four") == 0
            assert allocates(server, "of/fice", "three") == 401
        with turn("--config", redis_config(place, redis.port, 86400)) as server:
            assert allocates(server, "jo", "six") == 401
            redis.say(("SELECT", "3"), redis.user("jo", "six"))
            server.process.send_signal(signal.SIGHUP)
            server.expect("read again", stream="err")
            eventually(lambda: allocates(server, "jo", "six") == 0)


def test_turn_goes_on_without_redis_and_takes_it_back():
    metrics = unused_port()
    with folder() as place, contextlib.ExitStack() as stack:
        redis = stack.enter_context(Redis(place, password="sesame"))
        redis.say(("SELECT", "3"), redis.user("erin", "one"))
        server = stack.enter_context(turn("--config", redis_config(place, redis.port, 1), "--metrics", f"127.0.0.1:{metrics}"))
        eventually(lambda: allocates(server, "erin", "one") == 0)
        client = Client(server.port, "erin", "one")
        assert client.allocate()[0] == 0
        redis.process.kill()
        redis.process.wait(SECONDS)
        server.expect("those that are known go on", stream="err")
        told = counts(metrics)
        assert told["redis_up"] == 0 and told["redis_failures_total"] >= 1 and told["redis_users"] == 1, told
        assert allocates(server, "erin", "one") == 0
        assert client.request(REFRESH, attribute(0x0D, struct.pack("!I", 600)))[0] == 0
        server.process.send_signal(signal.SIGHUP)  # nor does a reload need it
        server.expect("configuration was read again", stream="err")
        assert allocates(server, "erin", "one") == 0
        redis = stack.enter_context(Redis(place, redis.port, "sesame"))
        redis.say(("SELECT", "3"), redis.user("erin", "one"), redis.user("kim", "seven"))
        eventually(lambda: allocates(server, "kim", "seven") == 0)
        server.expect("redis .*read again", stream="err")
        assert counts(metrics)["redis_up"] == 1


def test_turn_starts_without_redis_and_says_so():
    with folder() as place:
        port = unused_port()
        with turn("--config", redis_config(place, port, 1)) as server:
            server.expect("refused; it is tried again", stream="err")
            assert allocates(server, "alice", "secret") == 0 and allocates(server, "erin", "one") == 401
            with Redis(place, port, "sesame") as redis:
                redis.say(("SELECT", "3"), redis.user("erin", "one"))
                eventually(lambda: allocates(server, "erin", "one") == 0)
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
            with turn("--config", redis_config(place, silent.getsockname()[1], 1)) as server:
                server.expect("does not answer", stream="err")
                assert allocates(server, "alice", "secret") == 0
        with Redis(place, password="another") as redis:
            with turn("--config", redis_config(place, redis.port, 1)) as server:
                server.expect("WRONGPASS|invalid", stream="err")
                assert allocates(server, "alice", "secret") == 0


def answering(answer):
    """A server that says the same to everybody, whatever he asked."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                sock = server.accept()[0]
                with sock, contextlib.suppress(OSError):
                    sock.recv(4096)
                    sock.sendall(answer)
                    sock.recv(4096)
    threading.Thread(target=serve, daemon=True).start()
    return server


def test_turn_takes_nothing_from_what_is_no_redis():
    scan, secrets = b"*2\r\n$1\r\n0\r\n*1\r\n$%d\r\n%s\r\n", b"*1\r\n:7\r\n"
    key = b"turn/realm/example.org/user/erin/key"
    for answer, wanted in ((b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error"), (b"+OK\r\n", "another kind"),
                           (b"*2\r\n:0\r\n*0\r\n", "another kind"), (b"", "closed|does not answer"),
                           (b"-LOADING the data\r\n", "LOADING"),
                           (scan % (len(key), key) + b"*-1\r\n" + secrets, "another kind"),
                           (scan % (len(key), key) + b"*3\r\n:1\r\n*0\r\n$-1\r\n" + b"+odd\r\n", "another kind")):
        with contextlib.closing(answering(answer)) as server:
            with turn("--users-redis", f"127.0.0.1:{server.getsockname()[1]}") as program:
                program.expect(wanted, stream="err")
                assert allocates(program, "alice", "secret") == 0 and allocates(program, "erin", "one") == 401
    odd = (b"other", b"turn/realm/example.org/user/", key[:-4])  # no keys that were asked for
    keys = b"*2\r\n$1\r\n0\r\n*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(name), name) for name in odd)
    values = b"*2\r\n" + 2 * (b"$32\r\n" + 32 * b"a" + b"\r\n")
    with contextlib.closing(answering(keys + values + secrets)) as server:
        metrics = unused_port()
        with turn("--users-redis", f"127.0.0.1:{server.getsockname()[1]}", "--metrics", f"127.0.0.1:{metrics}") as program:
            assert allocates(program, "alice", "secret") == 0
            eventually(lambda: counts(metrics)["redis_bad_entries"] >= 3)
            assert counts(metrics)["redis_users"] == 0


def test_serve_takes_users_from_redis():
    with folder() as place, Redis(place) as redis:
        path = os.path.join(place, "linnet.yaml")
        write(path, f"turn:\n  realm: example.org\n  users_redis: 127.0.0.1:{redis.port}\n  redis_seconds: 1\n")
        redis.say(redis.user("erin", "one"))
        with Server("--config", path) as server:
            server.port = server.stun[1]
            eventually(lambda: allocates(server, "erin", "one") == 0)
            redis.say(redis.user("erin", "two"))
            eventually(lambda: allocates(server, "erin", "two") == 0)
            assert server.metrics()["linnet_turn_redis_users"] == 1
            assert server.stop() == 0


if __name__ == "__main__":
    run_all({name: value for name, value in globals().items() if name.startswith("test_")})
