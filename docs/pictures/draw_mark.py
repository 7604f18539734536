"""Draw the site's mark: two nodes, and packets that pass in one direction only.

Run: ``python docs/pictures/draw_mark.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrow, FancyBboxPatch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent.parent / "_static"
NIGHT, NODE, PASSES, STOPS = "#1d2530", "#f4f6f8", "#7fd18b", "#e0a100"


def draw() -> Figure:
    """The mark on a square of 64 by 64."""
    figure = plt.figure(figsize=(0.64, 0.64), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 64), ylim=(0, 64))
    axes.axis("off")
    ground = FancyBboxPatch((8, 8), 48, 48, boxstyle="round,pad=7", fc=NIGHT, ec="none")
    axes.add_patch(ground)
    for x in (15, 49):
        axes.add_patch(Circle((x, 32), 8, fc=NODE, ec="none"))
    shape: dict[str, Any] = {
        "width": 3.5,
        "head_width": 9,
        "head_length": 7,
        "ec": "none",
    }
    axes.add_patch(FancyArrow(20, 45, 24, 0, fc=PASSES, **shape))
    axes.add_patch(FancyArrow(44, 19, -13, 0, fc=STOPS, **shape))
    axes.plot([25, 25], [14, 24], color=STOPS, linewidth=3)
    return figure


if __name__ == "__main__":
    matplotlib.rcParams["svg.hashsalt"] = "mark"
    figure = draw()
    nothing = {"transparent": True}
    figure.savefig(FOLDER / "mark.svg", metadata={"Date": None}, **nothing)
    figure.savefig(FOLDER / "mark.png", dpi=400, **nothing)
