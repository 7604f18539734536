"""What an operator does next, by condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.diagnose.finding import Code, Depth, Diagnosis, Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

ROTATE = "ansible-playbook rotate-ipsec-key.yml   (in playbooks/)"
CHECK = "ipsec-runbooks check"
#: The commands in what there is to do, for a report that sets them apart.
COMMANDS = (
    "ansible-playbook rotate-ipsec-key.yml",
    f"{CHECK} --audit",
    "cilium-dbg kvstore get --recursive cilium/state/nodes",
)
#: Conditions and causes that have a page below docs/runbooks/.
RUNBOOKS = frozenset(
    {
        "ciliumnode-recreated",
        "key-changed-same-id",
        "kvstore-lease-expired",
        "kvstore-recreated",
        "rotation-stalled",
        "sequence-exhaustion",
    }
)
#: Where conditions without a page of their own are best explained, below docs/.
_PAGES: Mapping[str, str] = {topic: f"runbooks/{topic}" for topic in RUNBOOKS} | {
    Code.KVSTORE_LEASE_EXPIRING: "runbooks/kvstore-lease-expired",
    Code.STALE_XFRM_STATE: "runbooks/planned-rotation",
    Code.XFRM_ERRORS_RISING: "reference/xfrm-errors",
}
_CATALOGUE = "reference/findings"

VERDICTS: Mapping[Verdict, str] = {
    Verdict.HEALTHY: "Both ends of every tunnel belong together.",
    Verdict.ROTATING: "A key rotation is in progress; nothing is broken.",
    Verdict.DEGRADED: "Something needs attention, but no pair is stale.",
    Verdict.STALE: (
        "Nodes hold XFRM states that no longer belong together: packets between"
        " them are dropped."
    ),
    Verdict.UNKNOWN: (
        "Not everything that is needed could be read; in the rest nothing is wrong."
    ),
}

#: Said of a check of the default depth.
NOT_COMPARED = (
    "Only pairs of nodes that show something were compared; a pair that is stale and"
    " sends nothing shows nothing. --audit compares all."
)

CAUSES: Mapping[Code, str] = {
    Code.KVSTORE_LEASE_EXPIRED: (
        "the key-value store lease of the receiving node's agent expired, so its"
        " peers forgot the node and learned it again"
    ),
    Code.KVSTORE_RECREATED: (
        "the key-value store was recreated, and the sending node's agent missed the"
        " receiving node in it when it restarted"
    ),
    Code.CILIUMNODE_RECREATED: (
        "the CiliumNode of the receiving node was deleted and made again, so its"
        " peers forgot the node and learned it again"
    ),
    Code.ROTATION_STALLED: (
        "a key rotation has left one of both nodes behind, and the other one has"
        " removed the old key's states"
    ),
}

_NEXT: Mapping[Code, str] = {
    Code.STALE_XFRM_STATE: f"Rotate the key: {ROTATE}",
    Code.KEY_MISMATCH: f"Rotate the key under a new key ID: {ROTATE}",
    Code.MISSING_XFRM_STATE: (
        "Look at the agents of both nodes and at their CiliumNodes; an agent makes"
        " the states within a minute of learning its peer."
    ),
    Code.XFRM_ERRORS_RISING: (
        f"Run {CHECK} --audit, and look at the agent's log on that node."
    ),
    Code.SEQUENCE_EXHAUSTION: (
        f"Rotate the key, best before the numbers are used up: {ROTATE}"
    ),
    Code.ROTATION_STALLED: (
        "Bring the new key to the node that lags: look at its agent's log for IPsec"
        " keyfile, then restart that agent. Don't start another rotation before."
    ),
    Code.KVSTORE_LEASE_EXPIRING: (
        "Bring the agent back, or its connection to the key-value store, before the"
        " lease expires. If it is too late, the pairs are stale: rotate the key then."
    ),
    Code.KVSTORE_RECREATED: (
        "Don't restart agents before every node's key is in the key-value store again:"
        " cilium-dbg kvstore get --recursive cilium/state/nodes"
    ),
    Code.PLAINTEXT_FALLBACK: (
        "Restart the agent of that node: it makes its policies when it starts. Treat"
        " what was sent meanwhile as sent in plain text."
    ),
}


def verdict_words(diagnosis: Diagnosis) -> str:
    """A sentence that says what the verdict means.

    A diagnosis of one condition says nothing of any other.
    """
    shallow = diagnosis.depth is Depth.DEFAULT
    if diagnosis.condition is None and diagnosis.verdict is Verdict.HEALTHY and shallow:
        return "No node shows a sign of a broken tunnel."
    if diagnosis.condition is None or diagnosis.verdict is Verdict.STALE:
        return VERDICTS[diagnosis.verdict]
    about = diagnosis.condition
    if diagnosis.findings:
        return f"This check looked for {about} alone, and found it."
    if diagnosis.verdict is Verdict.UNKNOWN:
        return (
            "Not everything that is needed could be read; in the rest there is no sign"
            f" of {about}."
        )
    return f"No sign of {about}; {CHECK} looks for everything else."


def next_step(finding: Finding) -> str | None:
    """What to do about a finding; ``None`` for nothing."""
    if finding.cause is Code.ROTATION_STALLED:
        return _NEXT[finding.cause]
    if "left_over_source" in finding.evidence:
        return _NEXT[Code.STALE_XFRM_STATE]
    return _NEXT.get(finding.code)


def next_steps(diagnosis: Diagnosis) -> tuple[str, ...]:
    """What to do about a diagnosis, each step once, the most urgent first."""
    steps = [next_step(finding) for finding in diagnosis.alarming]
    return tuple(dict.fromkeys(step for step in steps if step))


def runbook_pages(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Pages that help with what is alarming, as paths without a suffix.

    A condition that no page is about is explained in the catalogue of findings.
    """
    topics = [finding.runbook for finding in diagnosis.alarming if finding.runbook]
    pages = [f"docs/{_PAGES.get(topic, _CATALOGUE)}" for topic in topics]
    return tuple(dict.fromkeys(pages))
