"""Sphinx configuration; build with ``sphinx-build -W -c . docs docs/_build/html``."""

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
    "sphinx_copybutton",
    "sphinx_rtd_theme",
    "sphinx_tabs.tabs",
    "drawn_pictures",
    "lab_breaks",
    "role_variables",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "_extensions", "pictures"]
nitpicky = True
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
html_show_sphinx = False

# Where `role_variables` finds the declarations that Ansible itself checks.
role_variables_root = str(ROOT / "playbooks" / "roles")
