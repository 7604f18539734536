"""Where a check script reads from, as its command line says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runbooks.collect import collect, etcd_access
from runbooks.collect.errors import CollectError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbooks.snapshot import Samples


def read(description: str | None, arguments: Sequence[str] | None = None) -> Samples:
    """Read what the command line names: a cluster, twice, or an archive.

    Args:
        description: The script's docstring, for ``--help``.
        arguments: The command line without the script; this process's if ``None``.

    Returns:
        What was read.

    Raises:
        SystemExit: With 0 after ``--help``, with 2 if it was called wrongly, with 3
            if nothing can be read; a sentence says which.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--kubeconfig", type=Path, help="kubeconfig of the cluster")
    parser.add_argument("--context", help="its context; default: the current one")
    parser.add_argument("--namespace", help="namespace of Cilium; default: found")
    parser.add_argument(
        "--sysdump",
        type=Path,
        metavar="FILE|DIR",
        help="read a cilium sysdump or cilium-bugtool archive instead",
    )
    parser.add_argument(
        "--snapshot", type=Path, metavar="DIR", help="read a snapshot folder instead"
    )
    parser.add_argument(
        "--etcd-endpoint", metavar="URL", help="the key-value store, to be asked itself"
    )
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--etcd-{name}", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        etcd = etcd_access(
            options.etcd_endpoint, options.etcd_ca, options.etcd_cert, options.etcd_key
        )
        return collect(
            archive=options.sysdump,
            folder=options.snapshot,
            kubeconfig=options.kubeconfig,
            context=options.context,
            namespace=options.namespace,
            etcd=etcd,
        )
    except CollectError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2 if isinstance(error, UsageError) else 3) from None
