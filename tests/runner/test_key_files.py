"""``ipsec-runbooks rotate`` where nodes get the key as a file."""

from tests.playbooks.test_key_files import inventory, lines
from tests.rotation.fleet import key_line

__all__ = ["inventory"]


def test_check_mode_looks_at_the_nodes_of_the_inventory(rotation, fleet, inventory):
    version = fleet.store.version
    run = rotation.run("--check", "-i", str(inventory), "-e", "key_distribution=files")
    assert run.status == 0, run.out
    assert "preflight: Ready to go from key ID 3 to 4" in run.out
    assert "patch: would go from key ID 3 to 4" in run.out
    assert set(lines(fleet)) == {key_line(3)}
    assert fleet.store.version == version
