"""Whether all agents run one version."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runbooks.diagnose.view import View


def agent_version_skew(view: View) -> Iterable[Finding]:
    """Tell that agents differ in version.

    Traffic passes all the same, so it is no alarm; only a rotation has to wait.
    """
    nodes: dict[str, list[str]] = defaultdict(list)
    for node in view.nodes.values():
        if node.agent.version:
            nodes[node.agent.version].append(node.name)
    if len(nodes) < 2:
        return
    named = "; ".join(
        f"{version} on {len(names)} ({', '.join(sorted(names)[:3])}"
        + (", ...)" if len(names) > 3 else ")")
        for version, names in sorted(nodes.items())
    )
    yield Finding(
        code=Code.AGENT_VERSION_SKEW,
        severity=Severity.INFO,
        summary=(
            f"Agents run different versions: {named}."
            " Don't rotate the key before they are the same."
        ),
        evidence={"versions": {v: sorted(names) for v, names in sorted(nodes.items())}},
        runbook=str(Code.AGENT_VERSION_SKEW),
    )
