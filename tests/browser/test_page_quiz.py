"""A quiz without Python, from a disk: score and code are what Python makes of the answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import zfwidgets as zf
from tests.browser.conftest import new_page
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings
from zfwidgets.widgets.core.wire import PROTOCOL

COUNT = 6
CHOSEN = [0, 1, 1, 0, 1, 0]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    quiz = zf.Quiz("zfnet", ["conv5", "conv3"], COUNT, seed=7)
    try:
        return quiz.to_html(tmp_path_factory.mktemp("quiz") / "quiz.html", progress=False)
    finally:
        quiz.close()


@pytest.fixture
def opened(chromium: Browser, saved: zf.SavedPage) -> Page:
    page = new_page(chromium, offline=True)
    page.goto(saved.path.as_uri())
    expect(page.locator(".zf-quiz-title")).to_contain_text(f"Question 1 of {COUNT}")
    return page


def answered(page: Page) -> None:
    """Answer all questions, the even ones with the mouse, the others by keys."""
    for at, choice in enumerate(CHOSEN):
        expect(page.locator(".zf-quiz-title")).to_contain_text(f"Question {at + 1} of")
        following = page.locator(".zf-quiz-body .zf-button")
        expect(following).to_be_hidden()
        picture = page.locator(".zf-quiz-choice").nth(choice)
        if at % 2:
            page.keyboard.press(str(choice + 1))
        else:
            picture.click()
        expect(picture).to_have_attribute("aria-pressed", "true")
        if at % 2:
            page.keyboard.press("Enter")
        else:
            following.click()


def test_score_and_code_are_those_of_python(opened: Page, screenshots: Path) -> None:
    take(opened, screenshots / "page-quiz.png")
    answered(opened)
    expect(opened.locator(".zf-quiz-title")).to_contain_text("Done")
    code = opened.locator(".zf-quiz-code").inner_text()
    read = zf.Quiz.read(code)
    assert list(read.answers) == CHOSEN
    assert [one.layer for one in read.questions] == ["conv5", "conv3"] * (COUNT // 2)
    expect(opened.locator(".zf-quiz-title")).to_contain_text(f"{read.right} of {COUNT} right")
    rows = opened.evaluate("zfKernel.models.get('quiz').get('_score').rows")
    for row, some in zip(rows, [read, read.of("conv5"), read.of("conv3")], strict=True):
        assert (row["right"], row["asked"]) == (some.right, some.asked)
        assert (row["low"], row["high"]) == pytest.approx(some.interval, abs=1e-12)
    take(opened, screenshots / "page-quiz-done.png")
    opened.context.close()


def test_the_first_answer_counts_and_no_question_is_passed_over(opened: Page) -> None:
    def ask(op: str, **body: int) -> None:
        question = {"v": PROTOCOL, "id": 1, "op": op, **body}
        opened.evaluate("question => zfKernel.models.get('quiz').send(question)", question)

    ask("go", at=0)
    expect(opened.locator(".zf-quiz-title")).to_contain_text("Question 1 of")
    ask("answer", at=0, choice=0)
    ask("answer", at=0, choice=1)
    ask("answer", at=3, choice=1)
    expect(opened.locator(".zf-quiz-choice").nth(0)).to_have_attribute("aria-pressed", "true")
    assert opened.evaluate("zfKernel.models.get('quiz').get('code')").split(":")[3] == "1-----"
    opened.context.close()


def test_what_is_shown_is_what_the_widget_shows(opened: Page) -> None:
    quiz = zf.Quiz("zfnet", ["conv5", "conv3"], COUNT, seed=7, inline=True)
    opened.locator(".zf-quiz-choice").first.focus()
    try:
        for at, choice in enumerate(CHOSEN):
            asked, values = quiz.asked(at)
            layer, channel = asked["layer"], asked["channel"]
            title = opened.locator(".zf-quiz-title")
            expect(title).to_have_text(f"Question {at + 1} of {COUNT}: {layer}, channel {channel}")
            titles = opened.locator(".zf-quiz-body canvas").evaluate_all(
                "all => all.map(one => one.title)"
            )
            assert titles == asked["credits"]
            opened.keyboard.press(str(choice + 1))
            told = opened.locator(".zf-quiz-said")
            expect(told).to_contain_text("Right" if values[choice] == max(values) else "No")
            opened.keyboard.press("Enter")
    finally:
        quiz.close()
    opened.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_and_used_by_everybody(
    chromium: Browser, saved: zf.SavedPage, theme: str, screenshots: Path
) -> None:
    page = new_page(chromium, color_scheme=theme, viewport={"width": 390, "height": 844})
    page.goto(saved.path.as_uri())
    expect(page.locator(".zf-quiz-title")).to_contain_text("Question 1")
    assert findings(page) == []
    take(page, screenshots / f"page-quiz-phone-{theme}.png")
    page.context.close()
