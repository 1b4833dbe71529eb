"""The command line's help as it is printed: ``.. zfwidgets-help:: scan``."""

from __future__ import annotations

import os
import subprocess
import sys

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

COLUMNS = "80"


class Help(Directive):
    """What ``zfwidgets COMMAND --help`` prints."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One literal block."""
        command = [sys.executable, "-m", "zfwidgets", *self.arguments, "--help"]
        environment = {**os.environ, "COLUMNS": COLUMNS, "NO_COLOR": "1"}
        text = subprocess.check_output(command, text=True, env=environment)
        block = nodes.literal_block(text, text)
        block["language"] = "text"
        return [block]


def setup(app: Sphinx) -> dict[str, bool]:
    """One directive."""
    app.add_directive("zfwidgets-help", Help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
