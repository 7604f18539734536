"""Draw both ends' sequence numbers over time from a recorded lab run, as SVG.

Run from the top of the repository: ``python docs/pictures/draw_counters.py``. The
record comes from ``record_counters.py``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

RECORD = Path(__file__).parent / "kvstore-lease-expired.json"
PICTURE = Path(__file__).parent.parent / "images" / "kvstore-lease-expired-counters.svg"

INK, SENDER, RECEIVER, ERRORS = "#22272e", "#b04a00", "#7db2e3", "#b3261e"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 11,
    "svg.fonttype": "none",  # Text stays text: searchable, and read aloud.
    "svg.hashsalt": "kvstore-lease-expired",  # The same record, the same file.
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
}


def draw(record: dict[str, Any], picture: Path) -> None:
    """Draw a record.

    Args:
        record: As ``record_counters.py`` wrote it.
        picture: SVG file to write.
    """
    with plt.rc_context(STYLE):
        figure, (numbers, errors) = plt.subplots(
            2,
            1,
            sharex=True,
            figsize=(9, 5.6),
            height_ratios=(3, 1),
            layout="constrained",
        )
        draw_numbers(record, numbers)
        draw_errors(record, errors)
        for axes in (numbers, errors):
            axes.spines[["top", "right"]].set_visible(False)
            for event in record["events"]:
                axes.axvline(event["t_s"], color=INK, linewidth=0.8, linestyle=":")
        name_events(record, numbers)
        figure.savefig(picture, metadata={"Date": None})
        plt.close(figure)


def draw_numbers(record: dict[str, Any], axes: Axes) -> None:
    """Draw the receiver's numbers broad, and the sender's over them, by SPI."""
    lines = (
        ("inbound", RECEIVER, 5.0, "-"),
        ("outbound", SENDER, 1.8, "-"),
    )
    labels = {
        "inbound": f"{record['destination']}: highest number received (inbound seq)",
        "outbound": f"{record['source']}: last number sent (outbound oseq)",
    }
    for end, color, width, style in lines:
        spis = sorted({spi for s in record["samples"] for spi in s[end]}, key=int)
        for spi in spis:
            times = [sample["t_s"] for sample in record["samples"]]
            values = [
                sample[end].get(spi, float("nan")) for sample in record["samples"]
            ]
            (line,) = axes.plot(
                times, values, color=color, linewidth=width, linestyle=style
            )
            if end == "inbound":
                name_spi(axes, spi, times, values)
        line.set_label(labels[end])
    # Before it breaks, a lab sends far more packets than in the time shown.
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylabel("sequence number (log)")
    axes.set_ylim(bottom=0)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.04),
        ncols=2,
        frameon=False,
        fontsize=10,
    )


def name_spi(
    axes: Axes, spi: str, times: Sequence[float], values: Sequence[float]
) -> None:
    """Write a line's SPI at its end."""
    last = max(n for n, value in enumerate(values) if not math.isnan(value))
    axes.annotate(
        f"SPI {spi}",
        (times[last], values[last]),
        xytext=(6, 0),
        textcoords="offset points",
        fontsize=9,
        va="center",
    )


def draw_errors(record: dict[str, Any], axes: Axes) -> None:
    """Draw how many packets the receiver has dropped since the record began."""
    counts = [sample["proto_errors"] for sample in record["samples"]]
    times = [sample["t_s"] for sample in record["samples"]]
    axes.plot(times, [count - counts[0] for count in counts], color=ERRORS, linewidth=2)
    axes.set_ylabel("dropped")
    axes.set_xlabel("seconds")
    axes.set_title(
        f"{record['destination']}: XfrmInStateProtoError",
        loc="left",
        fontsize=9,
        color=ERRORS,
    )
    axes.set_ylim(bottom=0)


def name_events(record: dict[str, Any], axes: Axes) -> None:
    """Write every event's name above its line, each a row below the one before."""
    for nth, event in enumerate(record["events"]):
        axes.annotate(
            event["what"],
            (event["t_s"], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4 + 14 * (len(record["events"]) - 1 - nth)),
            textcoords="offset points",
            fontsize=9,
            ha="left",
        )


if __name__ == "__main__":
    draw(json.loads(RECORD.read_text(encoding="utf-8")), PICTURE)
