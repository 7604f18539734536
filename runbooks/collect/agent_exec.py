"""Running the reading script in an agent's pod."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from kubernetes import client
from websocket import WebSocketBadStatusException, WebSocketException

from runbooks.collect.exec_socket import ERROR, STDERR, STDOUT, ExecApiClient
from runbooks.collect.node_files import NodeFile
from runbooks.collect.objects import AGENT_CONTAINER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PART = re.compile(
    r"^@@ file (?P<name>\S+)\n(?P<text>.*?)\n?@@ status (?P<status>\d+)$",
    re.DOTALL | re.MULTILINE,
)
_COMPLAINTS = re.compile(
    r"^@@ file (\S+)\n(.*?)(?=^@@ file |\Z)", re.DOTALL | re.MULTILINE
)
# In the words of kube-apiserver, which asks for get and, since 1.35, for create.
_REFUSED_VERB = re.compile(r'cannot (\w+) resource "pods/exec"')

#: Reads a script of a known length, which has no end, and runs it.
_EVALUATE = 'eval "$(head -c "$1")"'

#: Exit status of what could not be started, as shells have it.
NOT_RUN = 127


class ExecError(Exception):
    """An agent's pod could not be read; the text says why."""


class ExecRefusedError(ExecError):
    """There is no right to enter an agent's pod.

    Attributes:
        needs: The verb and the resource that are missing.
    """

    def __init__(self, needs: str, namespace: str = "") -> None:
        where = f" in namespace {namespace}" if namespace else ""
        super().__init__(
            f"no right to {needs}{where}, and so not to enter its agent's pod"
        )
        self.needs = needs


@dataclass(frozen=True, slots=True)
class Answer:
    """What the script printed.

    Attributes:
        files: By name, of the parts that succeeded.
        failures: For each part that failed, a phrase with what it printed.
    """

    files: dict[str, NodeFile]
    failures: dict[str, str]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ran in a pod.

    Attributes:
        status: Its exit status.
        out: What it printed.
        complaint: What it printed on standard error.
    """

    status: int
    out: str = ""
    complaint: str = ""


class AgentExec:
    """Runs commands in pods; safe to use from several threads."""

    def __init__(self, settings: client.Configuration, namespace: str) -> None:
        self._namespace = namespace
        self._script = resources.files(__package__).joinpath("read_node.sh").read_text()
        self._settings = settings

    def read(
        self, pod: str, *, full: bool, limit_s: float, policies: bool = False
    ) -> Answer:
        """Read a node through its agent's pod.

        Args:
            pod: Name of the pod.
            full: Whether to read everything, or states and counters only.
            policies: Whether to read the policies as well, where not everything.
            limit_s: How long it may take.

        Returns:
            The node's files.

        Raises:
            ExecError: The command could not be run or did not end in time.
        """
        extent = "full" if full else "policies" if policies else "brief"
        command = ["bash", "-c", self._script, "read-node", extent]
        return _answer(self.run(pod, command, limit_s))

    def ask(
        self, pod: str, script: str, arguments: Sequence[str], limit_s: float
    ) -> Answer:
        """Run a script that prints its answer in parts.

        It goes over standard input, with its arguments: those of a command are part
        of an address, and proxies refuse addresses of more than 8 KiB.

        Args:
            pod: Name of the pod.
            script: Text of a bash script.
            arguments: What it is given.
            limit_s: How long it may take.

        Returns:
            Its parts, as files.

        Raises:
            ExecError: The command could not be run or did not end in time.
        """
        given = f"set -- {shlex.join(arguments)}\n{script}".encode()
        command = ["bash", "-c", _EVALUATE, "read-node", str(len(given))]
        return _answer(self.run(pod, command, limit_s, given))

    def run(
        self, pod: str, command: list[str], limit_s: float, given: bytes = b""
    ) -> Ran:
        """Run a command in an agent's container.

        Args:
            pod: Name of the pod.
            command: The command and its arguments.
            limit_s: How long it may take.
            given: What it gets on standard input, without an end.

        Raises:
            ExecError: The command could not be run or did not end in time.
        """
        core = client.CoreV1Api(ExecApiClient(self._settings, given))
        try:
            channels = core.connect_get_namespaced_pod_exec(
                pod,
                self._namespace,
                container=AGENT_CONTAINER,
                command=command,
                stdin=bool(given),
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
                _request_timeout=limit_s,
            )
        except TimeoutError as error:
            raise ExecError(f"{error} from its agent") from None
        except WebSocketBadStatusException as error:
            raise _refusal(error, self._namespace) from None
        except (WebSocketException, OSError, ValueError) as error:
            raise ExecError(f"the connection to its agent broke: {error}") from None
        status, why = _ended(channels)
        complaint = _text(channels, STDERR)
        return Ran(status, _text(channels, STDOUT), complaint or why)


def _answer(ran: Ran) -> Answer:
    printed, complaints = ran.out, ran.complaint
    said = dict(_COMPLAINTS.findall(complaints))
    files: dict[str, NodeFile] = {}
    failures: dict[str, str] = {}
    for match in _PART.finditer(printed):
        if match["status"] == "0":
            files[match["name"]] = NodeFile(match["text"])
        else:
            words = said.get(match["name"], "").strip() or match["text"].strip()
            last = words.splitlines()[-1:] or [f"exit status {match['status']}"]
            failures[match["name"]] = last[0][:200]
    if not files and not failures:
        words = (complaints.strip() or "nothing").splitlines()[-1][:200]
        raise ExecError(f"the reading script did not run in its agent: {words}")
    return Answer(files, failures)


def _ended(channels: Mapping[int, bytes]) -> tuple[int, str]:
    """Exit status of the command, and why it has none of its own."""
    try:
        status = json.loads(channels[ERROR])
        if status["status"] == "Success":
            return 0, ""
    except (TypeError, ValueError, LookupError):
        return NOT_RUN, "the connection ended before the command did"
    try:
        return int(status["details"]["causes"][0]["message"]), ""
    except (TypeError, ValueError, LookupError):
        return NOT_RUN, str(status.get("message", ""))


def _text(channels: Mapping[int, bytes], channel: int) -> str:
    return channels.get(channel, b"").decode(errors="replace")


def _refusal(error: WebSocketBadStatusException, namespace: str) -> ExecError:
    try:
        said = str(json.loads(error.resp_body or b"")["message"])
    except (TypeError, ValueError, LookupError):
        said = ""
    match error.status_code:
        case 403:
            verb = _REFUSED_VERB.search(said)
            return ExecRefusedError(
                f"{verb[1] if verb else 'get, create'} on pods/exec", namespace
            )
        case 404 if "container not found" not in said:
            return ExecError("its agent's pod is gone")
    words = ": ".join(filter(None, [str(error.status_code), " ".join(said.split())]))
    return ExecError(f"its agent's pod can't be entered: {words[:200]}")
