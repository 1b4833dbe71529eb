"""``python -m zfwidgets`` is the command line of exactly this interpreter's installation."""

import sys

from zfwidgets.cli import main

sys.exit(main())
