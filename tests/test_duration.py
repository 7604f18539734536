import pytest

from runbooks.duration import parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("5m0s", 300),
        ("1h30m", 5400),
        ("90s", 90),
        ("1h2m3.5s", 3723.5),
        ("0", 0),
        ("1.5s", 1.5),
        ("500ms", 0.5),
    ],
)
def test_go_durations(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5", "5 m", "five", "m5", "5mm"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)
