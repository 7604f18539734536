"""Every page of the site arrives quickly over a slow link."""

from __future__ import annotations

from tests.docs.site_size import LARGEST_PAGE, page_sizes


def test_no_page_is_too_large_with_all_that_a_first_visit_loads(site):
    sizes = page_sizes(site)
    assert len(sizes) > 5
    large = {
        page: size
        for page, size in sizes.items()
        if max(size.document, size.sent) > LARGEST_PAGE
    }
    assert large == {}


def test_a_page_counts_with_its_styles_scripts_and_pictures_but_not_its_fonts(tmp_path):
    (tmp_path / "_static" / "fonts").mkdir(parents=True)
    (tmp_path / "_static" / "site.css").write_text(
        "@import url('more.css');\n@font-face {src: url(fonts/a.woff2?v=1)}"
    )
    (tmp_path / "_static" / "more.css").write_text("x" * 1000)
    (tmp_path / "_static" / "fonts" / "a.woff2").write_text("x" * 10_000)
    (tmp_path / "_static" / "page.js").write_text("x" * 2000)
    (tmp_path / "a.png").write_bytes(bytes(4000))
    (tmp_path / "b.html").write_text("x" * 8000)
    page = (
        '<link rel="stylesheet" href="_static/site.css?v=1"><a href="b.html">b</a>'
        '<script src="_static/page.js"></script><img src="a.png"><img src="a.png">'
    )
    (tmp_path / "index.html").write_text(page)
    css = (tmp_path / "_static" / "site.css").stat().st_size
    size = page_sizes(tmp_path)["index.html"]
    assert size.document == len(page)
    assert size.unpacked == len(page) + css + 7000
    # Text is packed on its way, a picture is not.
    assert 4000 < size.sent < 5000
