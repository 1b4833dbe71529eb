"""How the site is built: Sphinx, myst-nb for the notebooks, nothing fetched.

Run by `make docs`; `make docs EXECUTE=off` leaves the notebooks without outputs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import zfwidgets

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_ext"))

project = "zfwidgets"
author = "the zfwidgets authors"
project_copyright = author
version = release = zfwidgets.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "cli",
    "docstrings",
    "material",
    "mathml",
    "pictures",
]
exclude_patterns = ["_ext", "_build", "pictures/README.md", "notebooks/dashboard.ipynb"]

# --- text ---------------------------------------------------------------------------------------

default_role = "py:obj"  # `Recording.project` in a docstring becomes a link, `layer` stays code
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r".*"),  # what is no name is code
    # Other people's names: their sites are not asked while building.
    ("py:(class|exc|data)", r"(?!zfwidgets).*"),
    # Of our own, those that annotations spell out but that are nothing to call.
    (
        "py:class",
        r"zfwidgets\.(deconv|remote|widgets|nets\.run|analysis\.(review|scanning|stream))\..*",
    ),
]

# --- notebooks ----------------------------------------------------------------------------------

nb_execution_mode = "off" if os.environ.get("EXECUTE") == "off" else "cache"
nb_execution_cache_path = str(DOCS.parent / "build" / "docs-cache")
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_excludepatterns = ["notebooks/live.ipynb"]  # it needs a camera
# A saved page has no kernel: widgets leave their picture, and their state is not written down.
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),
    ("html", "image/png", 1),
]
nb_merge_streams = True

# --- reference ----------------------------------------------------------------------------------

autodoc_default_options = {"members": True, "member-order": "bysource", "no-value": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = False
autodoc_type_aliases = {
    name: name
    for name in (
        "Array",
        "Box",
        "Channels",
        "Classifier",
        "Fill",
        "Images",
        "Indices",
        "Inputs",
        "Picture",
        "Transform",
        "Transforms",
    )
}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_use_rtype = False
add_module_names = False

# --- looks --------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"zfwidgets {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "zfwidgets"},
    "header_links_before_dropdown": 8,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"believe": [], "index": [], "ko": [], "start": [], "tour": []}
