"""Every drawn picture of the site by its file name.

A recorded run gives two pictures, and each description in ``timelines/`` one:
adding a file there is all that a new one needs.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from pictures.counters import draw_counters
from pictures.key_path import draw_key_path
from pictures.pair_matrix import draw_pairs
from pictures.replay_window import draw_replay_window
from pictures.timeline import draw_timeline, read_timeline

HERE = Path(__file__).parent
#: The run whose numbers the picture of the anti-replay window shows.
_WINDOW_OF = "kvstore-lease-expired"


def draw_all() -> dict[str, str]:
    """Draw them.

    Returns:
        SVG source by file name.
    """
    drawn = {"key-path.svg": draw_key_path()}
    for path in sorted(HERE.glob("timelines/*.yml")):
        drawn[f"{path.stem}-events.svg"] = draw_timeline(read_timeline(path))
    moments = yaml.safe_load((HERE / "moments.yml").read_text(encoding="utf-8"))
    for path in sorted(HERE.glob("recorded/*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        checks = record["checks"]
        drawn[f"{path.stem}-counters.svg"] = draw_counters(record, moments[path.stem])
        drawn[f"{path.stem}-pairs.svg"] = draw_pairs(checks["broken"], checks["healed"])
        if path.stem == _WINDOW_OF:
            drawn["replay-window.svg"] = draw_replay_window(checks["broken"])
    return drawn
