"""Turns are fair: who asks much waits for those who ask little; who is gone is not served."""

from __future__ import annotations

import asyncio

import pytest

from zfwidgets.serve.kept import Kept
from zfwidgets.serve.turns import QueueFull, Turns


class Room:
    """People who hold their turn until they are let go; `served` is the order of their turns."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[str] = []
        self.go = asyncio.Semaphore(0)

    def comes(self, client: str, cost: float = 1.0) -> asyncio.Task[None]:
        async def stay() -> None:
            async with self.turns.turn(client, cost):
                self.served.append(client)
                await self.go.acquire()

        return asyncio.create_task(stay())

    async def let_go(self, people: int) -> None:
        for _ in range(people):
            self.go.release()
            await _settled()


async def _settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def test_one_who_asks_twenty_times_does_not_keep_another_waiting() -> None:
    async def lesson() -> list[str]:
        room = Room(Turns(at_once=1, each=64, most=64))
        everybody = [room.comes("scrolls") for _ in range(20)]
        await _settled()
        everybody.append(room.comes("clicks"))
        await _settled()
        await room.let_go(21)
        await asyncio.gather(*everybody)
        return room.served

    served = asyncio.run(lesson())
    assert served.index("clicks") == 1, "next, after the one that was under way"
    assert len(served) == 21


def test_cost_counts_not_questions() -> None:
    async def lesson() -> list[str]:
        room = Room(Turns(at_once=1, each=64, most=64))
        everybody = [room.comes("large", 8.0) for _ in range(3)]
        everybody += [room.comes("small", 1.0) for _ in range(9)]
        await _settled()
        await room.let_go(12)
        await asyncio.gather(*everybody)
        return room.served

    served = asyncio.run(lesson())
    assert served[:10].count("small") == 8, "eight small ones for each large one"


def test_a_pause_is_no_credit() -> None:
    async def lesson() -> list[str]:
        room = Room(Turns(at_once=1, each=64, most=64))
        first = [room.comes("busy") for _ in range(10)]
        await _settled()
        await room.let_go(8)
        late = [room.comes("rested") for _ in range(6)] + [room.comes("busy") for _ in range(6)]
        await _settled()
        await room.let_go(14)
        await asyncio.gather(*first, *late)
        return room.served[9:]

    served = asyncio.run(lesson())
    assert served[:6].count("rested") <= 4, "they take turns from now on"


def test_a_full_queue_says_whose_it_is() -> None:
    async def lesson() -> None:
        room = Room(Turns(at_once=1, each=2, most=4))
        some = [room.comes("one") for _ in range(3)]
        await _settled()
        with pytest.raises(QueueFull) as own:
            await room.comes("one")
        assert (own.value.own, own.value.waiting) == (True, 2)
        some += [room.comes("two"), room.comes("three")]
        await _settled()
        with pytest.raises(QueueFull) as all_of_them:
            await room.comes("four")
        assert not all_of_them.value.own
        await room.let_go(5)
        await asyncio.gather(*some)
        assert (room.turns.running, room.turns.waiting) == (0, 0)

    asyncio.run(lesson())


def test_who_leaves_the_queue_is_not_served_and_blocks_nobody() -> None:
    async def lesson() -> list[str]:
        room = Room(Turns(at_once=1, each=8, most=8))
        here, gone, patient = room.comes("here"), room.comes("gone"), room.comes("patient")
        await _settled()
        gone.cancel()
        await _settled()
        here.cancel()  # in the midst of its turn
        await _settled()
        await room.let_go(1)
        await patient
        assert (room.turns.running, room.turns.waiting) == (0, 0)
        return room.served

    assert asyncio.run(lesson()) == ["here", "patient"]


def test_who_leaves_in_the_moment_of_their_turn_takes_no_place_away() -> None:
    async def lesson() -> list[str]:
        room = Room(Turns(at_once=1, each=8, most=8))
        here, gone, patient = room.comes("here"), room.comes("gone"), room.comes("patient")
        await _settled()
        room.go.release()  # in one round of the loop the one is done and the next one goes away
        gone.cancel()
        await here
        await _settled()
        assert room.served == ["here", "patient"], "the place went to the one who waits"
        await room.let_go(1)
        await patient
        assert (room.turns.running, room.turns.waiting) == (0, 0)
        return room.served

    assert asyncio.run(lesson()) == ["here", "patient"]


def test_what_was_used_longest_ago_goes_first_and_bytes_are_bounded() -> None:
    kept: Kept[str, str] = Kept(limit=10)
    kept.put("a", "A", 4)
    kept.put("b", "B", 4)
    assert kept.get("a") == "A"
    kept.put("c", "C", 4)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == ("A", None, "C")
    assert kept.nbytes == 8
    kept.put("large", "L", 11)
    assert kept.get("large") is None
    assert len(kept) == 2
    kept.put("a", "A again", 9)
    assert (kept.get("a"), kept.get("c"), kept.nbytes) == ("A again", None, 9)
