"""Sphinx configuration; build with ``sphinx-build -W -c . docs docs/_build/html``."""

import contextlib
import importlib
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

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
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_rtd_theme",
    "sphinx_tabs.tabs",
    "command_line",
    "external_links",
    "drawn_pictures",
    "lab_breaks",
    "measurements",
    "role_variables",
    "site_versions",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "_extensions", "pictures"]
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
pygments_style = "friendly"
highlight_language = "none"

# A reader copies commands, never prompts or output.
copybutton_prompt_text = r"[$#>] "
copybutton_prompt_is_regexp = True

html_theme = "sphinx_rtd_theme"
html_theme_options = {
    "collapse_navigation": False,
    "navigation_depth": 3,
    "style_external_links": True,
}
html_title = project
html_static_path = ["docs/_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
# The general index has the modules as well.
html_domain_indices = False
html_show_sphinx = False

# Where `role_variables` finds the declarations that Ansible itself checks.
role_variables_root = str(ROOT / "playbooks" / "roles")

# For the builders `epub`, `spelling` (`make docs`) and `linkcheck` (`make links`).
# The spelling needs a C library that not every machine has; .ci/docs says so.
with contextlib.suppress(ImportError, OSError):
    importlib.import_module("enchant")
    extensions.append("sphinxcontrib.spelling")
epub_basename = "cilium-ipsec-runbooks"
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
