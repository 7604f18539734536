"""An audit in a process of its own: ``FOLDER NODES FORM``, a JSON line out.

Texts are read node by node, as they would arrive. With the form ``columns`` they
stay what they are, with ``objects`` every state becomes one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from runbooks.diagnose import diagnose
from runbooks.snapshot import (
    CiliumNodeFacts,
    ClusterFacts,
    NodeSnapshot,
    Samples,
    Snapshot,
)
from runbooks.xfrm.compact import parse_compact
from tests.bench.audit_input import SAMPLES, address, node_name

CONFIG = {"enable-ipsec": "true", "identity-allocation-mode": "crd"}


def read(folder: Path, nodes: int, sample: str, form: str) -> dict[str, NodeSnapshot]:
    """One sample, node by node."""
    found = {}
    for number in range(nodes):
        name = node_name(number)
        text = (folder / f"{sample}-{name}").read_text(encoding="ascii")
        compact = parse_compact(text)
        found[name] = NodeSnapshot(
            name,
            states=compact.to_states() if form == "objects" else None,
            compact=compact if form == "columns" else None,
            read_s=0.0,
            clock_s=0.0,
        )
    return found


def peak_mib() -> float:
    """The most memory that was resident; rusage counts that of the parent as well."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def main() -> None:
    folder, nodes, form = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    facts = ClusterFacts(
        CONFIG,
        {
            node_name(n): CiliumNodeFacts(
                node_name(n),
                cilium_internal_ips=(address(n, 0),),
                internal_ips=(address(n, 1),),
            )
            for n in range(nodes)
        },
    )
    began, began_cpu = time.perf_counter(), time.process_time()
    first, second = (read(folder, nodes, sample, form) for sample in SAMPLES)
    parsed, parsed_cpu = time.perf_counter(), time.process_time()
    diagnosis = diagnose(Samples(Snapshot(first, facts), Snapshot(second)), audit=True)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    print(
        json.dumps(
            {
                "seconds": ended - began,
                "cpu_s": ended_cpu - began_cpu,
                "reading_s": parsed - began,
                "reading_cpu_s": parsed_cpu - began_cpu,
                "peak_mib": peak_mib(),
                "stale": [
                    (f.source, f.destination)
                    for f in diagnosis.findings
                    if f.code == "stale-xfrm-state"
                ],
                "findings": len(diagnosis.findings),
            }
        )
    )


if __name__ == "__main__":
    main()
