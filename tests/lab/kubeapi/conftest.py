"""A running API with a small cluster in it, and the real clients against it."""

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from runbooks.lab.kubeapi import (
    Credentials,
    Faults,
    Server,
    Store,
    executable_not_found,
    serve,
)
from runbooks.lab.kubeapi.objects import (
    agent_pod,
    cilium_node,
    cilium_node_definition,
    config_map,
    daemon_set,
    ipsec_secret,
    namespace,
    node,
)

STARTED = "2026-01-02T03:04:05Z"
POD = "cilium-aaaa1"
# A throwaway: nothing is encrypted with it.
KEY_LINE = "3+ rfc4106(gcm(aes)) " + "0123456789" * 4 + " 128"


class FakeNode:
    """Runs commands as a container would that knows four of them."""

    def __init__(self):
        self.running = threading.Event()
        self.cancelled = threading.Event()
        self.unreachable = None

    async def dial(self, _pod):
        if self.unreachable is not None:
            raise self.unreachable

    async def run(self, pod, container, argv, io, stdin, tty):
        match argv:
            case ["echo", *words]:
                await io.write_stdout(" ".join(words).encode() + b"\n")
                return 0
            case ["fail", code]:
                await io.write_stderr(b"it went wrong\n")
                return int(code)
            case ["cat"]:
                while stdin and (piece := await io.read_stdin()):
                    await io.write_stdout(piece)
                return 0
            case ["where"]:
                where = f"{pod['spec']['nodeName']} {container} tty={tty}\n"
                await io.write_stdout(where.encode())
                return 0
            case ["zeros", size]:
                for _ in range(int(size) // 65536):
                    await io.write_stdout(bytes(65536))
                return 0
            case ["wait"]:
                await io.write_stdout(b"waiting\n")
                self.running.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
        raise executable_not_found(argv[0])


async def read_log(_pod, container, wanted):
    lines = [f"{container} line {n}\n".encode() for n in range(10)]
    for line in lines[-(wanted.tail_lines or 10) :]:
        yield line


@dataclass
class Cluster:
    """An API in a thread of its own."""

    store: Store
    credentials: Credentials
    faults: Faults
    node: FakeNode
    folder: Path
    url: str = ""
    address: tuple[str, int] = ("127.0.0.1", 0)
    kubeconfig: Path = field(default_factory=Path)
    server: Server | None = None

    def __post_init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="kubeapi")

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def start(self):
        """Serve; after a stop, at the same address again."""
        listener = socket.create_server(self.address)
        self.address = listener.getsockname()
        self.url = "https://{}:{}".format(*self.address)
        self.server = self.wait(
            serve(
                self.store,
                listener,
                self.credentials,
                self.node.run,
                log_handler=read_log,
                faults=self.faults,
                dial=self.node.dial,
            )
        )

    def stop(self):
        self.wait(self.server.close())

    def write_kubeconfig(self, name, content):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))
        return path

    def token_kubeconfig(self, identity):
        token, _ = self.credentials.issue_token(identity)
        content = self.credentials.token_kubeconfig(self.url, token)
        return self.write_kubeconfig("token.yaml", content)

    def environment(self, kubeconfig=None):
        return os.environ | {
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "cache"),
        }

    def kubectl(self, *args, check=True, kubeconfig=None, stdin=b"", program="kubectl"):
        done = subprocess.run(
            [program, *args],
            env=self.environment(kubeconfig),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr.decode()
        return done

    def start_kubectl(self, *args, program="kubectl"):
        return subprocess.Popen(
            [program, *args],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def wait_until(condition, limit_s=20):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "the condition does not come true"
        time.sleep(0.01)


def populate(store):
    store.create(namespace("kube-system"))
    store.create(namespace("default"))
    store.create(cilium_node_definition())
    owner = store.create(daemon_set("v1.18.0-dev", 2))
    for n in (1, 2):
        boot_id = f"00000000-0000-4000-8000-00000000000{n}"
        made = store.create(
            node(
                f"node{n}",
                f"192.0.2.{n}",
                f"10.0.{n}.0/24",
                boot_id,
                "6.1.0",
                since=STARTED,
            )
        )
        ips = (("InternalIP", f"192.0.2.{n}"), ("CiliumInternalIP", f"10.0.{n}.10"))
        store.create(cilium_node(made, ips, f"10.0.{n}.0/24", 3, boot_id))
        store.create(
            agent_pod(
                f"node{n}",
                f"192.0.2.{n}",
                f"aaaa{n}",
                "v1.18.0-dev",
                STARTED,
                owner=owner,
            )
        )
    store.create(config_map({"enable-ipsec": "true", "cluster-name": "default"}))
    store.create(ipsec_secret(KEY_LINE))


@pytest.fixture
def store():
    made = Store()
    populate(made)
    return made


@pytest.fixture
def cluster(store, tmp_path):
    cluster = Cluster(store, Credentials(), Faults(), FakeNode(), tmp_path)
    cluster.thread.start()
    cluster.start()
    content = cluster.credentials.admin_kubeconfig(cluster.url)
    cluster.kubeconfig = cluster.write_kubeconfig("admin.yaml", content)
    yield cluster
    cluster.faults.clear()
    cluster.stop()
    cluster.loop.call_soon_threadsafe(cluster.loop.stop)
    cluster.thread.join(20)
    cluster.loop.close()


@pytest.fixture(scope="session")
def _kubectl():
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is missing: apt-get install kubernetes-client")
