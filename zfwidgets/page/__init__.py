"""The engine in the page: a network written down so that a browser can run it without Python.

`page_net` gives the description and the weights, `packed` the weights as a page's text;
`js/src/engine/` reads them.
"""

from zfwidgets.page.calls import UnsupportedInPage
from zfwidgets.page.graph import PageNet, page_net
from zfwidgets.page.packing import packed

__all__ = ["PageNet", "UnsupportedInPage", "packed", "page_net"]
