"""The objects of a cluster, read from its API as plain JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from runbooks.collect.errors import (
    CollectError,
    NotPermittedError,
    UnreachableError,
    UsageError,
)
from runbooks.collect.objects import AGENT_LABEL, Object, is_agent
from runbooks.collect.secret import secret_facts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runbooks.snapshot import SecretFacts

CONNECT_LIMIT_S = 10.0
READ_LIMIT_S = 60.0
#: Large enough to need few requests, small enough for the API server's memory.
PAGE = 500

CONFIG_MAP = "cilium-config"
SECRET = "cilium-ipsec-keys"  # noqa: S105 - the name of an object
DAEMONSET = "cilium"


class ClusterApi:
    """Reads objects; every failure is a sentence."""

    def __init__(self, settings: client.Configuration) -> None:
        self.settings = settings
        api = client.ApiClient(settings)
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._custom = client.CustomObjectsApi(api)

    @classmethod
    def connect(
        cls, kubeconfig: Path | None = None, context: str | None = None
    ) -> ClusterApi:
        """Read the kubeconfig; nothing is sent yet.

        Args:
            kubeconfig: Its path; the usual places if ``None``.
            context: The context; the current one if ``None``.

        Raises:
            UsageError: There is no usable kubeconfig.
        """
        settings = client.Configuration()
        if kubeconfig is not None and not kubeconfig.expanduser().is_file():
            raise UsageError(f"There is no kubeconfig {kubeconfig}.")
        try:
            config.load_kube_config(
                config_file=str(kubeconfig.expanduser()) if kubeconfig else None,
                context=context,
                client_configuration=settings,
            )
        except ConfigException as error:
            if kubeconfig is None and context is None and _in_pod(settings):
                return cls(settings)
            raise UsageError(
                f"The kubeconfig can't be used: {_line(error)}. Set KUBECONFIG, or give"
                " --kubeconfig and --context; --sysdump reads an archive instead."
            ) from None
        except Exception as error:  # noqa: BLE001 - YAML, files, base64, plug-ins
            raise UsageError(f"The kubeconfig can't be read: {_line(error)}.") from None
        settings.retries = False
        return cls(settings)

    def agents(self, namespace: str | None) -> list[Object]:
        """The agents' Pods, in one namespace or wherever they are."""
        selector = "=".join(AGENT_LABEL)
        if namespace is None:
            try:
                pods = self._list(
                    self._core.list_pod_for_all_namespaces,
                    needs="list on pods",
                    label_selector=selector,
                )
            except NotPermittedError:
                pods = self._list(
                    self._core.list_namespaced_pod,
                    "kube-system",
                    needs="list on pods in namespace kube-system",
                    label_selector=selector,
                )
        else:
            pods = self._list(
                self._core.list_namespaced_pod,
                namespace,
                needs=f"list on pods in namespace {namespace}",
                label_selector=selector,
            )
        return [pod for pod in pods if is_agent(pod)]

    def cilium_nodes(self) -> list[Object]:
        """All CiliumNodes."""
        return self._list(
            self._custom.list_cluster_custom_object,
            "cilium.io",
            "v2",
            "ciliumnodes",
            needs="list on ciliumnodes.cilium.io",
        )

    def nodes(self) -> list[Object]:
        """All Nodes."""
        return self._list(self._core.list_node, needs="list on nodes")

    def config_map(self, namespace: str) -> Object:
        """ConfigMap ``cilium-config``."""
        return self._get(
            self._core.read_namespaced_config_map,
            CONFIG_MAP,
            namespace,
            needs=f"get on configmap {CONFIG_MAP} in namespace {namespace}",
        )

    def secret(self, namespace: str) -> SecretFacts:
        """What may be known of Secret ``cilium-ipsec-keys``; its key is not kept.

        Raises:
            CollectError: It may not be read, is not there, or holds no key line that
                agents could read; the sentence says how it is broken.
        """
        content = self._get(
            self._core.read_namespaced_secret,
            SECRET,
            namespace,
            needs=f"get on secret {SECRET} in namespace {namespace}",
        )
        return secret_facts(content)

    def daemonset(self, namespace: str) -> Object:
        """The agents' DaemonSet."""
        return self._get(
            self._apps.read_namespaced_daemon_set,
            DAEMONSET,
            namespace,
            needs=f"get on daemonset {DAEMONSET} in namespace {namespace}",
        )

    def _list(
        self, call: Callable[..., Any], *args: str, needs: str, **options: str
    ) -> list[Object]:
        items: list[Object] = []
        page = ""
        while True:
            more = {"_continue": page} if page else {}
            answer = self._get(call, *args, needs=needs, limit=PAGE, **options, **more)
            items.extend(answer.get("items") or ())
            page = (answer.get("metadata") or {}).get("continue") or ""
            if not page:
                return items

    def _get(
        self, call: Callable[..., Any], *args: str, needs: str, **options: Any
    ) -> dict[str, Any]:
        host = self.settings.host
        try:
            answer = call(
                *args,
                _preload_content=False,
                _request_timeout=(CONNECT_LIMIT_S, READ_LIMIT_S),
                **options,
            )
            content = json.loads(answer.data)
        except ApiException as error:
            raise _refusal(error, needs, host) from None
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                f"The API server {host} doesn't answer: {_line(error)}. Is it the"
                " right context, and is the cluster up?"
            ) from None
        except ValueError:
            raise UnreachableError(
                f"{host} answered with something else than JSON: is it a Kubernetes"
                " API server?"
            ) from None
        if not isinstance(content, dict):
            raise UnreachableError(
                f"{host} answered with something else than an object."
            )
        return content


def _in_pod(settings: client.Configuration) -> bool:
    try:
        config.load_incluster_config(client_configuration=settings)
    except ConfigException:
        return False
    return True


def _refusal(error: ApiException, needs: str, host: str) -> CollectError:
    match error.status:
        case 401:
            return UsageError(
                f"The API server {host} doesn't accept the kubeconfig's credentials."
            )
        case 403:
            return NotPermittedError(f"The kubeconfig's user has no right to {needs}.")
        case 404:
            return AbsentError(f"The cluster has none of it ({needs}).")
        case None | 0:
            return UnreachableError(
                f"No connection to the API server {host}:"
                f" {' '.join(str(error.reason).split())}."
            )
        case status:
            return UnreachableError(f"The API server answered {status} ({needs}).")


class AbsentError(CollectError):
    """The cluster has no such object or resource."""


def _line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
