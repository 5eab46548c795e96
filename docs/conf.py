"""The documentation site: Sphinx, MyST and notebooks that run while it is built; strict, and without a network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generated_pages  # noqa: E402

import lindyn  # noqa: E402

project, author, release = "lindyn", "the authors of lindyn", lindyn.__version__
copyright = "Apache-2.0"
extensions = ["myst_nb", "sphinx_copybutton", "mathml_pages"]
exclude_patterns = ["_build", "jupyter_execute", ".jupyter_cache"]
html_theme = "furo"
html_title = f"lindyn {release}"
html_theme_options = {"navigation_with_keys": True}
html_extra_path = ["_extra"]
html_static_path = ["_static"]
html_js_files = ["heard.js"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / ".jupyter_cache")
nb_execution_timeout = 150
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"
suppress_warnings = ["mystnb.unknown_mime_type", "mystnb.mime_priority"]  # the live views have mime types of their own

generated_pages.write(HERE)
