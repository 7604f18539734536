"""Running the reading script in an agent's pod."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from importlib import resources
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from runbooks.collect.node_files import NodeFile
from runbooks.collect.objects import AGENT_CONTAINER

_PART = re.compile(
    r"^@@ file (?P<name>\S+)\n(?P<text>.*?)\n?@@ status (?P<status>\d+)$",
    re.DOTALL | re.MULTILINE,
)
_COMPLAINTS = re.compile(
    r"^@@ file (\S+)\n(.*?)(?=^@@ file |\Z)", re.DOTALL | re.MULTILINE
)

#: Exit status of what could not be started, as shells have it.
NOT_RUN = 127


class ExecError(Exception):
    """An agent's pod could not be read; the text says why."""


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
        self._settings = settings
        self._namespace = namespace
        self._script = resources.files(__package__).joinpath("read_node.sh").read_text()
        # The client's WebSocket calls swap a method of its ApiClient meanwhile.
        self._threads = threading.local()

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
        ran = self.run(pod, command, limit_s)
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

    def run(self, pod: str, command: list[str], limit_s: float) -> Ran:
        """Run a command in an agent's container.

        Raises:
            ExecError: The command could not be run or did not end in time.
        """
        try:
            answer = stream(
                self._core().connect_get_namespaced_pod_exec,
                pod,
                self._namespace,
                container=AGENT_CONTAINER,
                command=command,
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
                _request_timeout=limit_s,
            )
        except ApiException as error:
            raise ExecError(_refusal(error)) from None
        except Exception as error:  # noqa: BLE001 - websocket-client raises its own
            raise ExecError(f"its agent's pod can't be entered: {error}") from None
        try:
            answer.run_forever(timeout=limit_s)
            if answer.is_open():
                raise ExecError(f"its agent did not answer within {limit_s:g} s")
            out, complaint = _text(answer.read_stdout()), _text(answer.read_stderr())
            return Ran(_status(answer), out, complaint)
        except ExecError:
            raise
        except Exception as error:  # noqa: BLE001 - websocket-client raises its own
            raise ExecError(f"the connection to its agent broke: {error}") from None
        finally:
            answer.close()

    def _core(self) -> client.CoreV1Api:
        core: client.CoreV1Api | None = getattr(self._threads, "core", None)
        if core is None:
            core = client.CoreV1Api(client.ApiClient(self._settings))
            self._threads.core = core
        return core


def _status(answer: Any) -> int:
    try:
        return int(answer.returncode)
    except (TypeError, ValueError, LookupError):
        return NOT_RUN  # it could not be started, or the end was not told


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _refusal(error: ApiException) -> str:
    reason = str(error.reason or error)
    if "403" in reason or error.status == 403:
        return "no right to enter its agent's pod: get and create on pods/exec needed"
    if "404" in reason or error.status == 404:
        return "its agent's pod is gone"
    return f"its agent's pod can't be entered: {reason.splitlines()[0][:200]}"
