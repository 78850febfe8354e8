"""Sphinx configuration; `python3 -m nox -s docs` builds with warnings as errors."""

import cg_ir

project = "cg"
author = "the cg contributors"
project_copyright = "the cg contributors, Apache-2.0"
release = version = cg_ir.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "examples/*/README.md"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# notebooks have no outputs in the repository: the build runs them, in a folder of their own, and fails where one fails
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_merge_streams = True

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = True
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"cg {release}"
copybutton_prompt_text = "$ "
