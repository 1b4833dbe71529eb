"""A picture of a widget that is light or dark as the page is.

    ```{picture} inspector
    What somebody who cannot see it should know.
    ```

shows pictures/inspector-light.webp or -dark.webp, made by scripts/docs_pictures.py.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Picture(SphinxDirective):
    """Both pictures; the theme's `only-light` and `only-dark` show one of them."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Two images with one description."""
        alt = " ".join(self.content)
        return [
            nodes.image(
                uri=f"/pictures/{self.arguments[0]}-{theme}.webp",
                alt=alt,
                loading="lazy",
                classes=[f"only-{theme}", "widget-picture"],
            )
            for theme in ("light", "dark")
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """One directive."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
