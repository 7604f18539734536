"""What a page's commands find around them: a reader's clone, and a reader's PATH."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import runbooks
from runbooks.runner.playbooks import playbooks_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Pages say `ipsec-runbooks lab`, whose lab is named "lab". The lab that a page is
#: run on can have another name: it is put in here, unless a command names one.
_SHIM = """\
#!/bin/bash
if [ "$1" = lab ] && [ $# -gt 1 ] && [[ " $* " != *" --name"[\\ =]* ]]; then
    words=("${{@:2}}")
    verbs=1
    [ "$2" = traffic ] && verbs=2
    set -- lab "${{words[@]:0:verbs}}" --name {name} "${{words[@]:verbs}}"
fi
exec {python} -m runbooks "$@"
"""


def lay_out(folder: Path) -> Path:
    """Lay out what a reader's clone has, without letting a page write into ours.

    Args:
        folder: Empty folder of the run.

    Returns:
        The folder that a page's commands start in.
    """
    clone = folder / "cilium-ipsec-runbooks"
    clone.mkdir()
    shutil.copytree(playbooks_folder(), clone / "playbooks")
    package = Path(runbooks.__file__).parent
    for source in (package, package.parent / "docs"):
        if source.is_dir():
            (clone / source.name).symlink_to(source)
    return clone


def environment(
    folder: Path, lab_name: str, kubeconfig: Path | None
) -> Mapping[str, str]:
    """What a reader has whose ``.venv`` is activated, and no more.

    Args:
        folder: Folder of the run; becomes the home folder.
        lab_name: The lab that ``ipsec-runbooks lab`` is about.
        kubeconfig: The lab's, unless the page itself starts it.
    """
    programs = Path(sys.executable).parent
    shims = folder / "bin"
    shims.mkdir()
    shim = shims / "ipsec-runbooks"
    shim.write_text(_SHIM.format(name=lab_name, python=sys.executable))
    shim.chmod(0o755)
    given = {
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": f"{shims}:{programs}:{os.environ.get('PATH', os.defpath)}",
        "TERM": "dumb",
        "TZ": "UTC",
    }
    return given | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})
