"""Sphinx reads the manual's Markdown."""

project = "Genwright"
copyright = "the Genwright authors, Apache-2.0"  # noqa: A001 (Sphinx's name)
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Genwright"
