"""Sphinx configuration; build with ``sphinx-build -W -c . docs docs/_build/html``."""

import contextlib
import importlib
import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

project = "Cilium IPsec runbooks"
author = "The Cilium IPsec runbooks authors"
copyright = f"2026, {author}"
release = installed_version("cilium-ipsec-runbooks")
version = release
language = "en"

extensions = [
    "myst_parser",
    "notfound.extension",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_rtd_theme",
    "sphinx_tabs.tabs",
    "cast",
    "command_line",
    "dark_code",
    "drawn_pictures",
    "external_links",
    "lab_breaks",
    "measurements",
    "role_variables",
    "site_map",
    "site_versions",
    "verified",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "_extensions", "_templates", "pictures"]
templates_path = ["docs/_templates"]
nitpicky = True
# Types from elsewhere: their inventories are on hosts that a build can't reach on an
# air-gapped machine, and copies of them would grow old in the repository.
nitpick_ignore_regex = [
    ("py:class", r"(pathlib\.)?Path"),
    ("py:class", r"(collections\.abc\.)?(Callable|Iterable|Mapping|Sequence)"),
    ("py:class", r"(numpy\.typing\.)?NDArray"),
]

# Signatures stay readable; types stand with what each argument means.
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_attr_annotations = True
napoleon_use_ivar = True
# Both have the contrast that WCAG asks for.
pygments_style = "default"
dark_code_style = "github-dark"
highlight_language = "none"

# A reader copies commands, never prompts or output.
copybutton_prompt_text = r">>> |\.\.\. |[$#>] "
copybutton_prompt_is_regexp = True

html_theme = "sphinx_rtd_theme"
html_theme_options = {
    "collapse_navigation": False,
    "navigation_depth": 3,
    "style_external_links": True,
}
html_title = project
html_static_path = ["docs/_static"]
html_css_files = ["colors.css", "site.css", "cast.css", "print.css"]
# The choice of colors comes before everything else, so that none flashes up.
html_js_files = [("theme-choice.js", {"priority": 100}), "page.js", "cast.js"]
html_favicon = "docs/_static/mark.svg"
html_search_scorer = "docs/_static/search-order.js"
html_show_sourcelink = False
# The general index has the modules as well.
html_domain_indices = False
html_show_sphinx = False

# Where `role_variables` finds the declarations that Ansible itself checks.
role_variables_root = str(ROOT / "playbooks" / "roles")

# The address at which the site is published, if it is known: with it come a site
# map, canonical links, and cards for those who link to a page elsewhere.
html_baseurl = os.environ.get(
    "DOCS_BASE_URL", os.environ.get("READTHEDOCS_CANONICAL_URL", "")
)
if html_baseurl:
    html_baseurl = html_baseurl.rstrip("/") + "/"
    extensions.append("sphinxext.opengraph")
    ogp_site_url = html_baseurl
    ogp_site_name = project
    ogp_social_cards = {
        "image_mini": "_static/mark.png",
        "line_color": "#e0a100",
        "font": "DejaVu Sans",  # Comes with matplotlib, bold as well.
    }

# The page for addresses that lead nowhere: it is shown at any depth.
notfound_urls_prefix = urlsplit(html_baseurl).path or "/"
notfound_context = {
    "title": "Page not found",
    "body": (ROOT / "docs" / "_templates" / "404-body.html")
    .read_text("utf-8")
    .replace("PREFIX/", notfound_urls_prefix),
}

# What the runs of the pages' commands left behind: see docs/_extensions/verified.py.
verified_record = str(ROOT / "docs" / "_build" / "verified.json")
verified_page = "reference/verified"

# For the builders `epub`, `spelling` (`make docs`) and `linkcheck` (`make links`).
# The spelling needs a C library that not every machine has; .ci/docs says so.
with contextlib.suppress(ImportError, OSError):
    importlib.import_module("enchant")
    extensions.append("sphinxcontrib.spelling")
epub_basename = "cilium-ipsec-runbooks"
epub_exclude_files = [".buildinfo.bak"]
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_allow_unauthorized = True
spelling_lang = "en_US"
spelling_word_list_filename = "spelling-words.txt"
spelling_warning = True
spelling_verbose = False
spelling_show_suggestions = True
spelling_suggestion_limit = 3
spelling_ignore_contributor_names = False
spelling_ignore_importable_modules = False
