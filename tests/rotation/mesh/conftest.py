"""Two clusters, each with an API of its own, and a run over both."""

import pytest

from runbooks.rotation.mesh.clusters import Mesh
from runbooks.rotation.session import Session
from runbooks.rotation.waiting import Pace
from tests.rotation.api_server import Api
from tests.rotation.conftest import FleetReader, runs_nothing
from tests.rotation.fleet import Fleet

CONTEXTS = ("east", "west")


@pytest.fixture
def fleets(tmp_path):
    """Two clusters that share no address; they don't know each other."""
    made = {}
    for i, context in enumerate(CONTEXTS):
        folder = tmp_path / context
        folder.mkdir()
        made[context] = Fleet(folder, first=10 * i + 1)
    return made


@pytest.fixture
def meshed(fleets):
    """The same, as a mesh."""
    for fleet in fleets.values():
        fleet.meshed_with = [other for other in fleets.values() if other is not fleet]
    return fleets


@pytest.fixture
def apis(fleets):
    made = {context: Api(fleet, runs_nothing) for context, fleet in fleets.items()}
    yield made
    for api in made.values():
        api.close()


@pytest.fixture
def mesh_with(fleets, apis, lines):
    """Makes a run over both clusters, as patient as a test wants it."""

    def made(limit_s=5.0):
        return Mesh(
            {
                context: Session(
                    api.connect(),
                    FleetReader(fleets[context]),
                    brief=Pace(limit_s, 0.01),
                )
                for context, api in apis.items()
            },
            lines.append,
        )

    return made


@pytest.fixture
def mesh(mesh_with):
    return mesh_with()
