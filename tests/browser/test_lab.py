"""The widgets in JupyterLab."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Notebook


def test_an_anywidget_reaches_the_page(in_lab: Notebook) -> None:
    page = in_lab(
        """
        import anywidget, traitlets
        class W(anywidget.AnyWidget):
            _esm = "export default { render({model, el}) { el.textContent = 'n=' + model.get('n') } }"
            n = traitlets.Int(7).tag(sync=True)
        W()
        """.replace("\n        ", "\n")
    )
    expect(page.get_by_text("n=7", exact=True)).to_be_visible()
