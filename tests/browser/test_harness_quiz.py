"""The quiz on the screen: keys choose and go on, and what it says is what Python computed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser.live import LiveWidget
from zfwidgets.widgets.core.rpc import worker

NINE = "document.querySelectorAll('.zf-quiz-shown canvas').length === 9"


@pytest.fixture(name="live", params=["light", "dark"])
def live_fixture(page: Page, request: pytest.FixtureRequest) -> Iterator[LiveWidget]:
    quiz = zf.Quiz("zfnet", layers=["conv5", "conv3"], count=2, seed=7)
    worker().join()
    yield LiveWidget(page, quiz, "quiz", request.param)
    quiz.close()


def test_a_quiz_is_answered_with_the_keyboard_alone(live: LiveWidget) -> None:
    page, quiz = live.page, live.widget
    live.until(NINE)
    exciting = [one.exciting for one in quiz.answers.questions]
    title = page.locator(".zf-quiz-title")
    expect(title).to_contain_text("Question 1 of 2: conv5")
    page.locator("#before").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="picture 1")).to_be_focused()

    page.keyboard.press(str(exciting[0] + 1))
    live.until("model.state._solution.exciting !== undefined")
    said = page.locator(".zf-quiz-said")
    expect(said).to_contain_text(f"Right: picture {exciting[0] + 1}")
    more = f"{quiz._solution['values'][exciting[0]]:.3g}"
    expect(said).to_contain_text(more)
    right = page.locator(".zf-quiz-choice[data-exciting]")
    expect(right).to_have_attribute(
        "aria-label", f"picture {exciting[0] + 1} (key {exciting[0] + 1})"
    )

    page.keyboard.press("Enter")
    live.until("model.state._question.at === 1")
    expect(title).to_contain_text("Question 2 of 2: conv3")
    page.keyboard.press(str(2 - exciting[1]))
    live.until("model.state._solution.at === 1")
    expect(said).to_contain_text(f"No, picture {exciting[1] + 1}")
    page.keyboard.press("Enter")
    live.until("model.state.status === 'done'")
    expect(title).to_have_text("Done: 1 of 2 right.")
    low, high = quiz.answers.interval
    total = page.locator(".zf-quiz-all")
    expect(total).to_contain_text(f"50 %  ({low * 100:.0f} % to {high * 100:.0f} %)")
    expect(page.locator(".zf-quiz-code")).to_have_text(quiz.code)
    assert zf.Quiz.read(quiz.code).answers == (exciting[0], 1 - exciting[1])


def test_a_narrow_quiz_fits(live: LiveWidget) -> None:
    live.page.set_viewport_size({"width": 390, "height": 900})
    live.until(NINE)
    root = live.page.locator(".zf-quiz")
    assert root.evaluate("root => root.scrollWidth - root.clientWidth") <= 0
