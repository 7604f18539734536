"""The report of a rotation: what happened when, on which node, by whom."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from runbooks.rotation.drops import highest, state_errors_since

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STEPS = ("propagate", "reclaim")


@dataclass(frozen=True, slots=True)
class Report:
    """One rotation, from what its steps returned.

    Attributes:
        rotation_id: Name of the rotation.
        from_key_id: Key ID before.
        to_key_id: Key ID after.
        started_at: When the key was patched, RFC 3339 in UTC.
        started_by: Who patched it.
        finished_at: When it was over; ``None`` if it isn't.
        resumed: Whether this run went on with an interrupted rotation.
        version: The agents' version.
        algorithm: The key's algorithm.
        nodes: The nodes.
        verdict_before: The check's verdict before.
        verdict_after: The check's verdict after; ``None`` if it wasn't reached.
        seconds: What each wait took, in seconds.
        timeline: For each node, when each wait was over for it.
        dropped: For each node, XFRM counters that rose, in packets.
        state_errors: For each node and SPI, packets that its states refused since the
            preflight: ``failed`` authentication, or ``replay``.
        explained: What explains the counters that rose, a sentence each.
        unexplained: Counters that rose without such an explanation, likewise.
        audit: What only an audit tells, and needs no action.
        stopped: Why the rotation stopped, if it did.
    """

    rotation_id: str
    from_key_id: int
    to_key_id: int
    started_at: str
    started_by: str
    finished_at: str | None
    resumed: bool
    version: str
    algorithm: str
    nodes: tuple[str, ...]
    verdict_before: str
    verdict_after: str | None
    seconds: Mapping[str, float]
    timeline: Mapping[str, Mapping[str, str]]
    dropped: Mapping[str, Mapping[str, int]]
    state_errors: Mapping[str, Mapping[str, Mapping[str, int]]]
    explained: tuple[str, ...]
    unexplained: tuple[str, ...]
    audit: tuple[str, ...]
    stopped: str | None

    @classmethod
    def of_steps(cls, steps: Mapping[str, Mapping[str, Any]]) -> Report:
        """Put the report together.

        Args:
            steps: What each step returned, by name; a step that did not run is
                empty or absent.
        """
        before = steps.get("preflight", {})
        patch = steps.get("patch", {})
        after = steps.get("verify") or {}
        waits = {name: steps.get(name) or {} for name in STEPS}
        nodes = tuple(before.get("nodes", ()))
        stopped = next(
            (step["msg"] for step in steps.values() if step.get("failed")), None
        )
        return cls(
            rotation_id=patch.get("rotation_id", ""),
            from_key_id=patch.get("from_key_id", before.get("key_id", 0)),
            to_key_id=patch.get("to_key_id", before.get("next_key_id", 0)),
            started_at=patch.get("started_at", ""),
            started_by=patch.get("started_by", ""),
            finished_at=(steps.get("finish") or {}).get("finished_at"),
            resumed=bool(before.get("resumes")),
            version=before.get("version", ""),
            algorithm=before.get("algorithm", ""),
            nodes=nodes,
            verdict_before=before.get("verdict", "unknown"),
            verdict_after=after.get("verdict"),
            seconds={
                name: wait["elapsed_s"]
                for name, wait in waits.items()
                if "elapsed_s" in wait
            },
            timeline={
                node: {
                    name: wait["nodes_done_at"][node]
                    for name, wait in waits.items()
                    if node in wait.get("nodes_done_at", {})
                }
                for node in nodes
            },
            dropped=after.get("dropped", {}),
            state_errors=state_errors_since(
                before.get("state_errors", {}),
                highest(
                    *(step.get("state_errors", {}) for step in (*waits.values(), after))
                ),
            ),
            explained=tuple(after.get("explained", ())),
            unexplained=tuple(after.get("unexplained", ())),
            audit=tuple(after.get("audit", ())),
            stopped=stopped,
        )

    def summary(self) -> Iterator[str]:
        """The report as lines to read."""
        if not self.rotation_id:
            yield (
                f"Would go from key ID {self.from_key_id} to {self.to_key_id} on"
                f" {len(self.nodes)} nodes."
            )
            yield "Nothing was changed and no key was drawn."
            return
        again = ", going on with an interrupted rotation" if self.resumed else ""
        yield (
            f"Rotation {self.rotation_id}{again}: key ID {self.from_key_id} to"
            f" {self.to_key_id} on {len(self.nodes)} nodes ({', '.join(self.nodes)})."
        )
        for name, what in (
            ("propagate", "Every node on the new SPI"),
            ("reclaim", "Old SPI gone from every node"),
        ):
            if name in self.seconds:
                yield f"{what}: {self.seconds[name]:.1f} s."
        for node, counters in self.dropped.items():
            counted = ", ".join(f"{name} {count}" for name, count in counters.items())
            yield f"Packets dropped on {node} since the preflight: {counted}."
        yield from (*self.explained, *self.unexplained)
        after = self.verdict_after or "not reached"
        yield f"Verdict before: {self.verdict_before}; after: {after}."
        if self.stopped:
            yield f"It stopped: {self.stopped}"

    def write(self, directory: Path | str) -> tuple[Path, Path]:
        """Write the report as JSON and HTML.

        Args:
            directory: Where; made if it isn't there.

        Returns:
            The paths of the JSON and the HTML file.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"rotation-report-{self.rotation_id}"
        as_json, as_html = folder / f"{stem}.json", folder / f"{stem}.html"
        content = {"schema": 1, **dataclasses.asdict(self)}
        as_json.write_text(json.dumps(content, indent=2) + "\n")
        template = resources.files("runbooks.rotation") / "report.html.j2"
        environment = jinja2.Environment(autoescape=True, trim_blocks=True)
        page = environment.from_string(template.read_text())
        as_html.write_text(page.render(report=self, summary=list(self.summary())))
        return as_json, as_html
