"""Draw a key's way from the Secret to the packets of a pair."""

from __future__ import annotations

from pictures.canvas import MARGIN, SMALL, WIDTH, Canvas, leading

_INDENT = MARGIN + 12
_STEP = 44.0
#: Where the two nodes' kernels stand, and how broad they are.
_LEFT, _RIGHT, _BROAD = MARGIN, 236.0, 152.0


def draw_key_path() -> str:
    """Draw it.

    Returns:
        SVG source.
    """
    canvas = Canvas("The key's way from the Secret to a packet")
    y = _draw_station(
        canvas,
        14,
        "Secret `cilium-ipsec-keys`",
        "`3+ rfc4106(gcm(aes)) KEY 128`, where 3 is the key ID, and the SPI of all "
        "that is made from it",
    )
    y = _draw_way(canvas, y, "API server and kubelet, in about a minute")
    y = _draw_station(
        canvas, y, "File `/etc/ipsec/keys`", "the Secret, mounted into every agent"
    )
    y = _draw_way(canvas, y, "the agent watches the file")
    y = _draw_station(
        canvas,
        y,
        "Agent of each node",
        "announces ID 3 to its peers, and derives a key for each peer and "
        "direction: SHA-256 of KEY, source IP, destination IP, and both nodes' "
        "boot IDs",
    )
    y = _draw_way(canvas, y, "netlink: XFRM states, one in, one out for each peer")
    return canvas.svg(_draw_kernels(canvas, y))


def _draw_station(canvas: Canvas, y: float, name: str, text: str) -> float:
    """Draw a place where the key lies; return where it ends."""
    # What is inside tells how high the box is.
    below, canvas.shapes = canvas.shapes, []
    end = canvas.paragraph(_INDENT, y + 21, name, bold=True)
    room = WIDTH - 2 * _INDENT
    end = canvas.paragraph(_INDENT, end, text, "quiet", size=SMALL, room=room)
    inside, canvas.shapes = canvas.shapes, below
    height = end - y - leading(SMALL) + 10
    canvas.box((MARGIN, y), (WIDTH - 2 * MARGIN, height), fill="tint", edge="line")
    canvas.shapes += inside
    return y + height


def _draw_way(canvas: Canvas, y: float, text: str) -> float:
    """Draw how it gets from one place to the next."""
    x = MARGIN + 30
    canvas.arrow((x, y + 2), (x, y + _STEP - 8), "quiet")
    canvas.paragraph(x + 14, y + _STEP / 2, text, "quiet", size=SMALL)
    return y + _STEP - 6


def _draw_kernels(canvas: Canvas, y: float) -> float:
    """Draw both kernels of a pair, and the packets between them."""
    height = 158.0
    for x, node in ((_LEFT, "node1"), (_RIGHT, "node2")):
        canvas.box((x, y), (_BROAD, height), fill="tint", edge=node)
        canvas.text(x + 12, y + 21, f"{node}'s kernel", node, bold=True)
    for n, (sender, here, there) in enumerate(
        (
            ("node1", "outbound state", "inbound state"),
            ("node2", "inbound state", "outbound state"),
        )
    ):
        top = y + 34 + n * 60
        key = "key 1 → 2" if n == 0 else "key 2 → 1"
        for x, kind in ((_LEFT + 10, here), (_RIGHT + 10, there)):
            canvas.box((x, top), (_BROAD - 20, 50), edge=sender)
            canvas.text(x + 10, top + 20, kind, size=SMALL)
            canvas.text(x + 10, top + 38, f"SPI 3, {key}", sender, size=SMALL)
        ends = [(_LEFT + _BROAD - 8, top + 25), (_RIGHT + 8, top + 25)]
        start, end = ends if n == 0 else ends[::-1]
        canvas.arrow(start, end, sender, width=2.5)
    middle = (_LEFT + _BROAD + _RIGHT) / 2
    canvas.text(middle, y + 48, "ESP", "quiet", size=SMALL, anchor="middle")
    y += height + 20
    return canvas.paragraph(
        MARGIN,
        y,
        "Both ends derive the same key for a direction. A packet carries the SPI and "
        "a sequence number, never the key.",
        "quiet",
        size=SMALL,
    )
