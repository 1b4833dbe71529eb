"""Answers the page's questions on one worker thread.

Comm handlers may run on the kernel's main thread or on a subshell's, several at once. So a handler
here only validates and queues; one daemon thread per process owns networks and devices and takes
the most urgent question first. Between the chunks of an answer it looks whether the question was
taken back or has become stale. An exception travels to the widget that asked.
"""

from __future__ import annotations

import atexit
import contextvars
import itertools
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from zfwidgets.widgets.core.wire import Answer, Request, WireError, refusal

Send = Callable[[dict[str, Any], Sequence[bytes | memoryview] | None], None]
Handler = Callable[["Job"], "Answer | Iterable[Answer] | None"]

_log = logging.getLogger(__name__)

URGENT, VISIBLE, AHEAD = 0, 1, 2
"""Priorities: what everything else waits for; what is on screen; what may soon be."""

_BEHIND_ALL = 9
"""Lower in urgency than anything the widgets queue."""


class Cancelled(Exception):  # noqa: N818 - it is no error
    """Nobody wants the answer any more; ends a job silently."""


_leaving = threading.Event()
"""Set when the interpreter exits: all jobs stop at their next check."""


class Worker:
    """One daemon thread that runs queued calls, lowest priority number first, then in order."""

    def __init__(self) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Callable[[], None]]]
        self._queue = queue.PriorityQueue()
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._run, name="zfwidgets-worker", daemon=True)
        self._thread.start()

    def put(self, call: Callable[[], None], priority: int) -> None:
        """Queue `call`. An error it does not handle is logged, and the next call is run.

        It runs in the context of who queued it: the kernel names in all that is said there the
        message that asked for it, and not whichever came last.
        """
        within = contextvars.copy_context()
        self._queue.put((priority, next(self._order), partial(within.run, call)))

    def join(self) -> None:
        """Wait until everything queued so far and meanwhile is done. For tests."""
        self._queue.join()

    def leave(self, timeout: float) -> None:
        """Finish the present call, at most, and end the thread.

        A thread that is inside torch when the interpreter goes away takes the process down.
        """
        self._queue.put((-1, next(self._order), lambda: None))
        self._thread.join(timeout)

    def _run(self) -> None:
        while not _leaving.is_set():
            _, _, call = self._queue.get()
            try:
                call()
            except Exception:  # noqa: BLE001 - one bad job must not end the thread of all
                # Once the main thread has ended, thread pools take no work: no fault of the job's.
                if threading.main_thread().is_alive():
                    _log.exception("A job of the widgets' worker failed.")
            finally:
                # An idle worker must not keep the last widget alive.
                del call
                self._queue.task_done()


_worker: Worker | None = None
_worker_pid = 0
_worker_lock = threading.Lock()


@atexit.register
def _leave() -> None:
    _leaving.set()
    if _worker is not None and _worker_pid == os.getpid():
        _worker.leave(timeout=5.0)


def worker() -> Worker:
    """The process's one worker; made at first use, and again after a fork."""
    global _worker, _worker_pid
    with _worker_lock:
        if _worker is None or _worker_pid != os.getpid():
            _worker, _worker_pid = Worker(), os.getpid()
        return _worker


def settle(timeout: float | None = None) -> bool:
    """Wait until the worker has done everything that is queued, and what follows from it.

    `timeout` seconds at most; whether it has. From the main thread an interrupt of the kernel ends
    the wait.
    """
    done = threading.Event()
    worker().put(done.set, _BEHIND_ALL)
    return done.wait(timeout)


@dataclass
class Job:
    """A question being answered, with its cancel token."""

    request: Request
    stale: Callable[[], bool] = lambda: False
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the job to stop at its next check."""
        self._cancelled.set()

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not (self._cancelled.is_set() or _leaving.is_set() or self.stale())

    def check(self) -> None:
        """Raise `Cancelled` if nobody waits any more. Call between chunks of work."""
        if not self.wanted:
            raise Cancelled


class Responder:
    """Turns a widget's custom messages into jobs and their results into answers.

    Parameters:
        send: the widget's ``send(content, buffers)``.
        handlers: per operation a function of a :class:`Job` that returns one
            :class:`~zfwidgets.widgets.core.wire.Answer`, yields several, or returns None.
        epoch: the current version of what is looked at; questions of another one are dropped.
            None: questions never become stale.
        inline: answer in the calling thread (tests, and platforms without threads).

    ``hello`` is always understood and is answered at once, even while the worker is busy.
    """

    def __init__(
        self,
        send: Send,
        handlers: Mapping[str, Handler],
        epoch: Callable[[], int] | None = None,
        *,
        inline: bool = False,
    ) -> None:
        self._send = send
        self._handlers = dict(handlers)
        self._epoch = epoch
        self._inline = inline
        self._jobs: dict[int, Job] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._stats = {"sent": 0, "bytes": 0, "cancelled": 0, "errors": 0}

    def stats(self) -> dict[str, int]:
        """Counts so far: messages sent, bytes in their buffers, jobs dropped, errors."""
        with self._lock:
            return dict(self._stats)

    def on_msg(self, _widget: object, content: Any, buffers: Sequence[memoryview] | None) -> None:
        """Take a message of the page; for ``widget.on_msg``. Returns without doing the work."""
        try:
            request = Request.parse(content, buffers)
            if request.op == "cancel":
                self._cancel(request.id)
                return
            if request.op == "hello":
                self._post(request, Answer(last=True))
                return
            if request.op not in self._handlers:
                known = ", ".join(sorted(self._handlers)) or "none"
                raise WireError("Unknown question", f"got {request.op!r:.40}, expected: {known}")
        except WireError as error:
            number = content.get("id") if isinstance(content, dict) else None
            self._refuse(number if isinstance(number, int) else -1, error)
            return
        priority = AHEAD if content.get("ahead") is True else VISIBLE
        self._start(Job(request, stale=lambda: self._is_stale(request)), priority)

    def submit(self, work: Callable[[Job], object], priority: int = URGENT) -> Job:
        """Queue Python's own `work`; the returned job can be cancelled. Errors are `work`'s own."""
        job = Job(Request(id=-1, epoch=0, op="", body={}))
        self._enqueue(lambda: self._run_own(job, work), priority)
        return job

    def close(self) -> None:
        """Cancel everything; nothing is sent afterwards."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.cancel()
            self._jobs.clear()

    def _is_stale(self, request: Request) -> bool:
        return self._closed or (self._epoch is not None and request.epoch != self._epoch())

    def _start(self, job: Job, priority: int) -> None:
        with self._lock:
            if self._closed:
                return
            self._jobs[job.request.id] = job
        self._enqueue(lambda: self._answer(job), priority)

    def _enqueue(self, call: Callable[[], None], priority: int) -> None:
        if self._inline:
            call()
        else:
            worker().put(call, priority)

    def _cancel(self, number: int) -> None:
        with self._lock:
            job = self._jobs.pop(number, None)
        if job is not None:
            job.cancel()

    def _run_own(self, job: Job, work: Callable[[Job], object]) -> None:
        try:
            if self._closed:
                return
            job.check()
            work(job)
        except Cancelled:
            self._count("cancelled")

    def _answer(self, job: Job) -> None:
        request = job.request
        try:
            job.check()
            result = self._handlers[request.op](job)
            answers = [result] if isinstance(result, Answer) else result or ()
            ended = False
            for answer in answers:
                job.check()
                self._post(request, answer)
                ended = answer.last
            if not ended:
                self._post(request, Answer(last=True))
        except Cancelled:
            self._count("cancelled")
        except Exception as error:  # noqa: BLE001 - whatever it is, the person who asked sees it
            self._refuse(request.id, error)
        finally:
            with self._lock:
                self._jobs.pop(request.id, None)

    def _post(self, request: Request, answer: Answer) -> None:
        if self._closed:
            return
        self._send(answer.message(request), list(answer.buffers))
        self._count("sent")
        self._count("bytes", sum(len(buffer) for buffer in answer.buffers))

    def _refuse(self, number: int, error: Exception) -> None:
        self._count("errors")
        if not self._closed:
            self._send(refusal(number, error), None)

    def _count(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._stats[name] += amount
