"""ansible-playbook against a fleet whose agents' pods run made-up commands."""

import asyncio
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from runbooks.lab.kubeapi import executable_not_found, service_account
from tests.playbooks.leaks import files, leaks
from tests.rotation.api_server import Api
from tests.rotation.fleet import Fleet

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
# Another version of Ansible, to try the playbooks with.
ANSIBLE_PLAYBOOK = os.environ.get(
    "TEST_ANSIBLE_PLAYBOOK", str(Path(sys.executable).with_name("ansible-playbook"))
)


class FleetPods:
    """Runs what is asked of an agent's pod, with a node's own ``ip`` and files.

    The command itself is real (a shell, awk, sha256sum); what it reads of the
    node is made up, through executables that come first in its PATH.
    """

    def __init__(self, fleet, folder):
        self.fleet = fleet
        self.folder = folder
        #: Node whose key file is not written before this changes.
        self.held = None
        self.holding = threading.Event()
        for name in fleet.nodes:
            self._make_commands(folder / name)

    async def run(self, pod, _container, argv, io, stdin, _tty):
        name = pod["spec"]["nodeName"]
        self.fleet.commands.append(argv)
        if argv[:4] == ["ip", "xfrm", "state", "delete"]:
            status, complaint = self.fleet.delete_state(name, argv)
            await io.write_stderr(complaint.encode())
            return status
        self._write_node(name)
        environment = {
            "PATH": f"{self.folder / name / 'bin'}:{os.environ['PATH']}",
            "NODE": str(self.folder / name),
        }
        given = b""
        while stdin and (data := await io.read_stdin()):
            given += data
            if "read-node" in argv:
                break  # its script comes in one message, and has no end
        if given.startswith(b"write") and name == self.held:
            self.holding.set()
            while name == self.held:
                await asyncio.sleep(0.02)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise executable_not_found(argv[0]) from None
        out, err = await process.communicate(given)
        await io.write_stdout(out)
        await io.write_stderr(err)
        return process.returncode

    @staticmethod
    def _make_commands(folder):
        commands = {
            "ip": 'case "$*" in *policy*) cat "$NODE/policies" ;;\n'
            '*state*) cat "$NODE/states" ;; *) cat "$NODE/addresses" ;; esac',
            "hostname": 'cat "$NODE/hostname"',
            "cilium-dbg": 'case "$*" in *json*) cat "$NODE/encrypt_status.json" ;;\n'
            '*) cat "$NODE/version" ;; esac',
            "cat": 'for last; do :; done; case "$last" in\n'
            '/proc/net/xfrm_stat) exec /bin/cat "$NODE/xfrm_stat" ;;\n'
            '/proc/sys/kernel/random/boot_id) exec /bin/cat "$NODE/boot_id" ;;\n'
            '*) exec /bin/cat "$@" ;; esac',
        }
        (folder / "bin").mkdir(parents=True)
        for name, script in commands.items():
            path = folder / "bin" / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def _write_node(self, name):
        node, folder = self.fleet.nodes[name], self.folder / name
        files = {
            "states": self.fleet.state_text(name),
            "policies": self.fleet.policy_text(name),
            "hostname": f"{name}\n",
            "boot_id": f"{node.boot_id}\n",
            "addresses": f"    inet {node.internal_ip}/24 scope global eth0\n",
            "xfrm_stat": f"XfrmInStateProtoError   \t{self.fleet.proto_errors(node)}\n",
            "version": "Client: 1.18.0\nDaemon: 1.18.0\n",
            "encrypt_status.json": '{"mode": "IPsec", "ipsec": {"keys-in-use": 4}}\n',
        }
        for file, content in files.items():
            # Commands of the same node may be reading: replace, never truncate.
            scratch = folder / f".{file}-{os.urandom(4).hex()}"
            scratch.write_text(content)
            scratch.replace(folder / file)


@dataclass
class Run:
    """What a playbook's run left behind."""

    status: int
    out: str

    def task(self, name):
        """The part of the output that belongs to a task."""
        _, _, rest = self.out.partition(name)
        return rest.partition("\nTASK [")[0]


class RunningPlaybook:
    """A playbook that runs, and what it has said so far."""

    def __init__(self, process):
        self.process = process
        self._out = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._said:
                self._out.append(line)
                self._said.notify_all()
        with self._said:
            self._said.notify_all()

    @property
    def out(self):
        return "".join(self._out)

    def wait_for(self, text):
        with self._said:
            said = self._said.wait_for(
                lambda: text in self.out or not self._reader.is_alive(), 90
            )
        assert said, self.out
        assert text in self.out, self.out

    def kill(self):
        """End it as a crash would, and wait until none of its workers is left."""
        self.process.kill()
        self.process.wait(30)
        # The pipe closes when its last holder, a worker, is gone.
        self._reader.join(60)
        assert not self._reader.is_alive(), "a worker outlives its controller"

    def finish(self):
        self.process.wait(120)
        self._reader.join(30)
        return Run(self.process.returncode, self.out)


class Playbooks:
    """Runs playbooks as an operator does: from their folder."""

    def __init__(self, kubeconfig_of, grant, folder):
        self.folder = folder
        #: Adds the objects of a file of ``files/``.
        self.grant = grant
        self._kubeconfig_of = kubeconfig_of
        self.reports = folder / "reports"
        self.ran = []
        self.program = [ANSIBLE_PLAYBOOK]
        self.environment = os.environ | {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "4000",
        }
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()
        self.act_as("ipsec-rotate")

    def act_as(self, account):
        """Go on with the rights of an account of ``files/rbac.yml``."""
        self.environment["KUBECONFIG"] = str(self._kubeconfig_of(account))

    def command(self, playbook, *options):
        variables = {
            "rotation_report_dir": self.reports,
            "rotation_poll_interval": 0.05,
            "rotation_propagate_limit": 10,
            "rotation_reclaim_limit": 10,
            "rotation_verify_limit": 1,
            "rotation_check_interval": 0.05,
            "ipsec_check_interval": 0.05,
            "repair_check_interval": 0.05,
            "repair_limit": 10,
        }
        extra = [f"--extra-vars={name}={value}" for name, value in variables.items()]
        return [*self.program, playbook, *extra, *options]

    def start(self, playbook, *options, cwd=PLAYBOOKS, before=()):
        path = PLAYBOOKS / playbook if cwd != PLAYBOOKS else playbook
        process = subprocess.Popen(
            [*before, *self.command(str(path), *options)],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.ran.append(RunningPlaybook(process))
        return self.ran[-1]

    def run(self, playbook, *options):
        return self.start(playbook, *options).finish()

    def rotate(self, *options):
        return self.run("rotate-ipsec-key.yml", *options)


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path, duration_s=0.5)


@pytest.fixture
def api(fleet, tmp_path):
    pods = FleetPods(fleet, tmp_path / "nodes")
    made = Api(fleet, pods.run)
    made.pods = pods
    yield made
    made.close()


def merged_kubeconfig(paths, path):
    """One kubeconfig of several, whose contexts have the names that are given.

    Args:
        paths: A kubeconfig for each context.
        path: Where to write the result.
    """
    merged = {"apiVersion": "v1", "kind": "Config"}
    for context, source in paths.items():
        own = yaml.safe_load(Path(source).read_text())
        for kind in ("clusters", "users", "contexts"):
            merged.setdefault(kind, []).append({**own[kind][0], "name": context})
        merged["contexts"][-1]["context"] = {"cluster": context, "user": context}
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(merged))
    return path


@pytest.fixture
def playbooks(fleet, api, tmp_path):
    """Playbooks that run with the rights of ``files/rbac.yml`` and no more.

    Whatever a test does with them, no key may be found afterwards.
    """

    def grant(name):
        for thing in yaml.safe_load_all((PLAYBOOKS / "files" / name).read_text()):
            fleet.store.create(thing)

    grant("rbac.yml")

    def kubeconfig_of(account):
        stored = fleet.store.get("serviceaccounts", account, "kube-system")
        uid = stored["metadata"]["uid"]
        return api.token_kubeconfig(service_account("kube-system", account, uid))

    made = Playbooks(kubeconfig_of, grant, tmp_path)
    yield made
    said = [(f"output {n}", run.out.encode()) for n, run in enumerate(made.ran)]
    assert leaks(fleet.keys, [*said, *files(tmp_path)]) == []
