from pathlib import Path

import pytest

RECORDINGS = Path(__file__).parents[1] / "recordings" / "kvstore-lease-expired"


@pytest.fixture(params=["broken/n2", "rotating/n2"])
def recording(request):
    return RECORDINGS / request.param
