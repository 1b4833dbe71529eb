"""Questions, answers, cancelling and threads, with lists in place of a page."""

import gc
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from zfwidgets.widgets.core.rpc import AHEAD, URGENT, VISIBLE, Job, Responder, worker
from zfwidgets.widgets.core.wire import Answer, WireError

LIMIT = 20  # seconds; only a broken test waits so long


class Page:
    """What a page would have received."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.threads: set[str] = set()

    def send(self, content: dict[str, Any], buffers: Any = None) -> None:
        self.threads.add(threading.current_thread().name)
        self.messages.append({**content, "buffers": list(buffers or ())})


def question(number: int = 1, op: str = "tiles", epoch: int = 0, **body: Any) -> dict[str, Any]:
    return {"v": 1, "id": number, "epoch": epoch, "op": op, **body}


@pytest.fixture
def page() -> Page:
    return Page()


def inline(page: Page, handler: Any, **kwargs: Any) -> Responder:
    return Responder(page.send, {"tiles": handler}, inline=True, **kwargs)


def test_one_answer(page: Page) -> None:
    inline(page, lambda job: Answer({"n": job.request.body["n"] + 1}, [b"xy"], last=True)).on_msg(
        None, question(n=4), []
    )
    (message,) = page.messages
    assert message == {
        "v": 1, "id": 1, "epoch": 0, "ok": True, "last": True, "n": 5, "buffers": [b"xy"],
    }  # fmt: skip


def test_several_chunks_end_with_a_last_one_even_if_the_handler_forgets(page: Page) -> None:
    def handler(_job: Job) -> Iterator[Answer]:
        yield Answer({"n": 1})
        yield Answer({"n": 2})

    inline(page, handler).on_msg(None, question(), [])
    assert [m["last"] for m in page.messages] == [False, False, True]


def test_buffers_of_the_page_reach_the_handler(page: Page) -> None:
    seen: list[bytes] = []
    responder = inline(page, lambda job: seen.append(bytes(job.request.buffers[0])))
    responder.on_msg(None, question(), [memoryview(b"picture")])
    assert seen == [b"picture"]


def test_an_exception_goes_to_the_widget_that_asked(page: Page) -> None:
    def handler(_job: Job) -> Iterator[Answer]:
        yield Answer({"n": 1})
        raise WireError("Out of memory", "the GPU is full", "Choose fewer channels.")

    inline(page, handler).on_msg(None, question(number=9), [])
    last = page.messages[-1]
    assert (last["id"], last["ok"]) == (9, False)
    assert last["error"]["hint"] == "Choose fewer channels."


def test_an_unknown_operation_and_a_foreign_version_are_refused_with_a_reason(page: Page) -> None:
    responder = inline(page, lambda _job: None)
    responder.on_msg(None, question(op="sudo"), [])
    responder.on_msg(None, {**question(number=2), "v": 99}, [])
    responder.on_msg(None, "garbage", [])
    assert [m["ok"] for m in page.messages] == [False] * 3
    assert "sudo" in page.messages[0]["error"]["message"]
    assert "Restart the kernel" in page.messages[1]["error"]["hint"]


def test_a_question_of_an_older_epoch_is_dropped_silently(page: Page) -> None:
    called: list[Job] = []
    responder = inline(page, called.append, epoch=lambda: 5)
    responder.on_msg(None, question(epoch=4), [])
    assert (called, page.messages) == ([], [])
    assert responder.stats()["cancelled"] == 1


def test_an_epoch_that_ends_between_two_chunks_ends_the_answer(page: Page) -> None:
    now = [1]

    def handler(_job: Job) -> Iterator[Answer]:
        yield Answer({"n": 1})
        now[0] = 2
        yield Answer({"n": 2})

    inline(page, handler, epoch=lambda: now[0]).on_msg(None, question(epoch=1), [])
    assert [m["n"] for m in page.messages] == [1]


def test_cancelling_stops_the_work_between_chunks(page: Page) -> None:
    started, go_on = threading.Event(), threading.Event()

    def handler(_job: Job) -> Iterator[Answer]:
        yield Answer({"n": 1})
        started.set()
        assert go_on.wait(LIMIT)
        yield Answer({"n": 2})

    responder = Responder(page.send, {"tiles": handler})
    responder.on_msg(None, question(number=3), [])
    assert started.wait(LIMIT)
    responder.on_msg(None, {"v": 1, "op": "cancel", "id": 3}, [])
    go_on.set()
    worker().join()
    assert [m["n"] for m in page.messages] == [1]
    assert responder.stats()["cancelled"] == 1


def test_asking_returns_at_once_and_all_work_is_done_by_one_other_thread(page: Page) -> None:
    release, threads = threading.Event(), set[str]()

    def handler(_job: Job) -> Answer:
        assert release.wait(LIMIT)
        threads.add(threading.current_thread().name)
        return Answer(last=True)

    responders = [Responder(page.send, {"tiles": handler}) for _ in range(3)]
    askers = [
        threading.Thread(target=r.on_msg, args=(None, question(number=i), []))
        for i, r in enumerate(responders)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(LIMIT)
        assert not asker.is_alive()
    assert page.messages == []
    release.set()
    worker().join()
    assert threads == {"zfwidgets-worker"} == page.threads
    assert len(page.messages) == 3


def test_hello_is_answered_while_the_worker_is_busy(page: Page) -> None:
    release = threading.Event()
    responder = Responder(page.send, {})
    responder.submit(lambda _job: release.wait(LIMIT))
    responder.on_msg(None, question(op="hello"), [])
    assert [m["ok"] for m in page.messages] == [True]
    release.set()
    worker().join()


def test_what_is_on_screen_comes_before_what_may_soon_be(page: Page) -> None:
    release, done = threading.Event(), list[Any]()
    responder = Responder(page.send, {"tiles": lambda job: done.append(job.request.body["name"])})
    responder.submit(lambda _job: release.wait(LIMIT))
    responder.on_msg(None, question(1, name="ahead", ahead=True), [])
    responder.on_msg(None, question(2, name="visible"), [])
    responder.submit(lambda _job: done.append("urgent"))
    release.set()
    worker().join()
    assert done == ["urgent", "visible", "ahead"]
    assert URGENT < VISIBLE < AHEAD


def test_after_close_nothing_is_done_or_sent(page: Page) -> None:
    release, done = threading.Event(), list[Any]()
    responder = Responder(page.send, {"tiles": done.append})
    responder.submit(lambda _job: release.wait(LIMIT))
    responder.on_msg(None, question(), [])
    responder.submit(done.append)
    responder.close()
    responder.on_msg(None, question(2), [])
    release.set()
    worker().join()
    assert (done, page.messages) == ([], [])


def test_a_job_that_fails_is_logged_and_the_next_is_done(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    responder, done = Responder(page.send, {}), list[str]()

    def fail(_job: object) -> None:
        raise RuntimeError("out of order")

    responder.submit(fail)
    responder.submit(lambda _job: done.append("next"))
    worker().join()
    assert done == ["next"]
    assert "out of order" in caplog.text


def test_an_idle_worker_keeps_nobody_alive(page: Page) -> None:
    responder = Responder(page.send, {"tiles": lambda _job: Answer(last=True)})
    responder.on_msg(None, question(), [])
    worker().join()
    gone = weakref.ref(responder)
    responder.close()
    del responder
    gc.collect()
    assert gone() is None


def test_a_job_is_in_the_name_of_who_asked() -> None:
    """And so is what it queues itself: ipykernel keeps the message it answers in a context."""
    name, found = ContextVar("name", default="nobody"), []
    done = threading.Event()

    def later() -> None:
        found.append(name.get())
        done.set()

    def first() -> None:
        found.append(name.get())
        worker().put(later, AHEAD)

    for asker in ("one", "other"):
        done.clear()
        name.set(asker)
        worker().put(first, VISIBLE)
        name.set("nobody")
        assert done.wait(LIMIT)
    assert found == ["one", "one", "other", "other"]
