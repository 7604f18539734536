"""Versions of the site side by side, each with a menu that leads to the others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.chromium import show_as
from tests.docs.checkout import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

from site_versions import add, main

ONLY_IN_LATEST = "lab/breaks.html"


def fake_site(folder, *pages):
    for page in pages:
        path = folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page)
    (folder / "_static").mkdir()
    (folder / "_static" / "versions.js").touch()
    return folder


def known(site):
    text = (site / "_static" / "versions.js").read_text("utf-8")
    return json.loads(text.removeprefix("window.siteVersions = ").rstrip(";\n"))


def test_every_version_learns_of_a_new_one(tmp_path):
    published = tmp_path / "published"
    add(published, fake_site(tmp_path / "a", "index.html"), "0.9.0")
    add(published, fake_site(tmp_path / "b", "index.html", "x/new.html"), "0.10.0")
    names = add(published, fake_site(tmp_path / "c", "index.html"), "latest")
    assert names == ["latest", "0.10.0", "0.9.0"]
    for name in names:
        menu = known(published / name)
        assert menu["current"] == name
        assert [version["name"] for version in menu["versions"]] == names
    listed = json.loads((published / "versions.json").read_text("utf-8"))
    assert listed[1] == {"name": "0.10.0", "pages": ["index.html", "x/new.html"]}


def test_first_page_leads_to_the_newest_release(tmp_path):
    published = tmp_path / "published"
    add(published, fake_site(tmp_path / "a", "index.html"), "latest")
    assert "url=latest/index.html" in (published / "index.html").read_text("utf-8")
    for name in ("0.10.0", "0.9.0"):
        add(published, fake_site(tmp_path / name, "index.html"), name)
    assert "url=0.10.0/index.html" in (published / "index.html").read_text("utf-8")


def test_addresses_that_lead_nowhere_get_the_newest_releases_page(tmp_path):
    published = tmp_path / "published"
    for name in ("latest", "0.9.0", "0.10.0"):
        built = fake_site(tmp_path / name, "index.html", "404.html")
        (built / "404.html").write_text(name)
        add(published, built, name)
    assert (published / "404.html").read_text("utf-8") == "0.10.0"


def test_version_that_is_published_again_loses_its_old_pages(tmp_path):
    published = tmp_path / "published"
    add(published, fake_site(tmp_path / "a", "index.html", "old.html"), "latest")
    add(published, fake_site(tmp_path / "b", "index.html"), "latest")
    assert not (published / "latest" / "old.html").exists()


@pytest.mark.parametrize("name", ["../out", "", "a/b", ".git"])
def test_name_that_leads_out_of_the_folder_is_refused(tmp_path, name, capsys):
    built = fake_site(tmp_path / "built", "index.html")
    assert main([str(tmp_path / "published"), str(built), name]) == 1
    assert "can't be the name of a folder" in capsys.readouterr().err
    assert not (tmp_path / "published").exists()


def test_what_is_no_built_site_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    published = tmp_path / "published"
    assert main([str(published), str(tmp_path / "empty"), "latest"]) == 1
    assert "is no built site" in capsys.readouterr().err


@pytest.fixture(scope="module")
def published(site, tmp_path_factory):
    """The real site as two versions, of which the older one lacks a page."""
    folder = tmp_path_factory.mktemp("published")
    older = folder / "older"
    shutil.copytree(site, older)
    (older / ONLY_IN_LATEST).unlink()
    add(folder / "site", site, "latest")
    add(folder / "site", older, "0.0.1")
    return folder / "site"


@pytest.fixture(autouse=True)
def desktop(browser):
    show_as(browser, 1280)
    for log in ("browser", "performance"):
        browser.get_log(log)  # Of other tests' pages.


def visit(browser, path):
    browser.get(path.as_uri())
    return Select(browser.find_element(By.CSS_SELECTOR, ".site-version select"))


def follow(browser, menu, name):
    menu.select_by_visible_text(name)
    WebDriverWait(browser, 10).until(lambda b: f"/{name}/" in b.current_url)
    return browser.current_url


def test_menu_leads_to_the_same_page_of_the_other_version(browser, published):
    page = "runbooks/kvstore-lease-expired.html"
    menu = visit(browser, published / "latest" / page)
    assert [option.text for option in menu.options] == ["latest", "0.0.1"]
    assert menu.first_selected_option.text == "latest"
    url = follow(browser, menu, "0.0.1")
    assert url == (published / "0.0.1" / page).as_uri()


def test_menu_leads_to_the_first_page_where_the_other_version_lacks_it(
    browser, published
):
    menu = visit(browser, published / "latest" / ONLY_IN_LATEST)
    url = follow(browser, menu, "0.0.1")
    assert url == (published / "0.0.1" / "index.html").as_uri()


def test_lone_version_says_which_it_is_and_asks_nobody(browser, site):
    browser.get((site / "lab" / "index.html").as_uri())
    shown = browser.find_element(By.CSS_SELECTOR, ".site-version")
    assert shown.text.startswith("Version ")
    asked = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert asked
    assert [url for url in asked if url.startswith("http")] == []
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def git(*arguments, cwd):
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(
        words, cwd=cwd, check=True, capture_output=True, text=True
    ).stdout


def test_publishing_keeps_the_older_versions_on_their_branch(tmp_path, monkeypatch):
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "t")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@example.org")
    monkeypatch.setenv("PYTHON", sys.executable)
    checkout = tmp_path / "checkout"
    for path in (".ci/publish", "docs/_extensions/site_versions.py"):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, checkout / path)
    git("init", "--quiet", "--initial-branch", "main", cwd=checkout)
    git("add", ".", cwd=checkout)
    git("commit", "--quiet", "--message", "First", cwd=checkout)
    built = fake_site(checkout / "docs" / "_build" / "html", "index.html", "a_b.html")

    def publish(name):
        return subprocess.run(
            [checkout / ".ci" / "publish", name],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert "push it" in publish("0.1.0")
    (built / "index.html").write_text("changed")
    publish("latest")
    assert "published already" in publish("latest")
    files = git("ls-tree", "-r", "--name-only", "gh-pages", cwd=checkout).split()
    assert {"0.1.0/a_b.html", "latest/a_b.html", "versions.json", ".nojekyll"} <= {
        *files
    }
    assert ".ci/publish" not in files
    assert git("show", "gh-pages:0.1.0/index.html", cwd=checkout) == "index.html"
    assert git("show", "gh-pages:latest/index.html", cwd=checkout) == "changed"
    assert len(git("worktree", "list", cwd=checkout).splitlines()) == 1
