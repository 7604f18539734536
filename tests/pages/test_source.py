"""Pages are found by what a reader calls them."""

import pytest

from runbooks.pages.source import UnknownPageError, page, pages, sources_folder

SESSION = ".. code-block:: shell-session\n\n   $ true\n"


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "index.rst": SESSION,
        "one/pods.rst": SESSION,
        "two/pods.rst": f".. lab: --mode crd\n\n{SESSION}",
        "two/nodes.md": "```shell-session\n$ true\n```\n",
        "two/words.rst": "Words.\n",
        "_build/html/index.rst": SESSION,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_is_built_is_no_page(folder):
    assert [p.name for p in pages(folder)] == [
        "index",
        "one/pods",
        "two/nodes",
        "two/pods",
        "two/words",
    ]


@pytest.mark.parametrize("name", ["two/pods", "docs/two/pods.rst", "two/pods.html"])
def test_page_is_found_by_its_path(folder, name):
    assert page(name, folder).lab == ("--mode", "crd")


def test_page_is_found_by_the_last_part_of_its_path(folder):
    assert page("nodes", folder).name == "two/nodes"


@pytest.mark.parametrize("name", ["pods", "words", "nothing"])
def test_unclear_and_unknown_names_are_answered_with_those_that_there_are(folder, name):
    with pytest.raises(UnknownPageError, match="two/pods"):
        page(name, folder)


def test_sources_of_an_installed_site_are_found(tmp_path):
    sources = tmp_path / "runbooks" / "_site" / "_sources"
    (sources / "a").mkdir(parents=True)
    (sources / "index.rst.txt").write_text("Words.\n")
    (sources / "a" / "b.md.txt").write_text("```shell-session\n$ true\n```\n")
    found = sources_folder(tmp_path / "runbooks")
    assert [p.name for p in pages(found)] == ["a/b", "index"]
    (block,) = page("b", found).parse(lambda _: None).examples()
    assert block.parsed.commands[0].text == "true"


def test_installation_without_pages_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="install the package"):
        sources_folder(tmp_path / "runbooks")
