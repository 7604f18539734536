"""Where the playbooks are: in the checkout, or in the installed package."""

from __future__ import annotations

from pathlib import Path

import runbooks

ROTATE = "rotate-ipsec-key.yml"


def playbooks_folder(package: Path | None = None) -> Path:
    """Find the folder that ``ansible-playbook`` is to be run from.

    Args:
        package: Folder of the Python package; the running one by default.

    Returns:
        ``_playbooks`` in the package, which an installed wheel has, or
        ``playbooks`` beside it, as in a checkout.

    Raises:
        FileNotFoundError: If it is in neither place.
    """
    package = package or Path(runbooks.__file__).parent
    places = package / "_playbooks", package.parent / "playbooks"
    for place in places:
        if (place / ROTATE).is_file():
            return place
    raise FileNotFoundError(
        f"{ROTATE} is neither in {places[0]} nor in {places[1]}. Install the package"
        " cilium-ipsec-runbooks again, or use it from a checkout."
    )
