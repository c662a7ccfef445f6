"""Who has a connection, when: lent, kept, taken back, returned; and what a death costs.

The worker is acted by the test (rig.py), so that each moment of its life can be stopped at.
"""

from __future__ import annotations

import asyncio

import pytest

from verdazul_serve.board import At, Hand
from verdazul_serve.messages import Flag, Kind, Message
from verdazul_serve.traits import Traits

from .rig import FAST, Client, Puppet, Rig, body_of, looks, play, until

LONG = 0.1  # far beyond what is fast


async def lent(rig: Rig, puppet: Puppet, body: str = "") -> tuple[Client, Message]:
    client = rig.client()
    client.post(body)
    await until(lambda: puppet.end.unseen)
    return client, puppet.receive()


def test_a_fast_worker_may_keep_a_connection_and_a_probe_on_it_comes_back_unread() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        client = rig.client()
        client.post("a")
        await until(lambda: puppet.end.unseen)
        loan = puppet.receive()
        assert loan.flags & Flag.MAY_KEEP
        puppet.answer(loan)
        puppet.keep(loan)
        client.hear()
        client.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        puppet.say(Kind.BACK, loan, body=puppet.read(loan))

        await until(lambda: not puppet.end.loans)
        assert client.hear().endswith(b"probe")

    play(story)


def test_what_waits_behind_a_long_call_is_run_by_another_worker() -> None:
    async def story(rig: Rig) -> None:
        first, second = rig.puppets
        first.pace(FAST)
        second.end.ready_at = None  # starting
        _, _ = await lent(rig, first, "long")
        waiting = rig.client()
        waiting.post("waiting")
        await until(lambda: first.end.unseen)
        second.end.ready_at = 0.0
        first.begin(ago=LONG)

        await until(lambda: second.end.unseen)
        assert body_of(second.receive()) == "waiting"
        assert first.board.numbers[At.TAKEN] >= 2

    play(story, workers=2)


def test_a_kept_connection_is_taken_back_while_another_is_worked_for() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        kept, loan = await lent(rig, puppet)
        puppet.answer(loan)
        puppet.keep(loan)
        kept.hear()
        _, busy = await lent(rig, puppet)
        puppet.begin(ago=LONG)
        kept.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")

        assert (await asyncio.to_thread(kept.hear)).endswith(b"probe")
        assert list(puppet.end.loans) == [busy.slot]

    play(story)


def test_a_worker_sees_of_each_taking_back_that_it_happened() -> None:
    """Two requests in one call: both outlast the first taking back, one is taken by the second."""

    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        puppet.end.traits = Traits(together=2)
        numbers, hands = puppet.board.numbers, puppet.board.hands
        loans = [(await lent(rig, puppet))[1] for _ in range(3)]
        first, second, third = [loan.slot for loan in loans]
        puppet.keep(loans[2])
        puppet.begin(ago=LONG)
        await until(lambda: third not in puppet.end.loans)
        before = numbers[At.TAKEN]
        puppet.end_run()
        hands[first], hands[second] = Hand.FOLLOWING, Hand.CLEAN
        puppet.begin(ago=LONG)
        await until(lambda: second not in puppet.end.loans)

        assert list(puppet.end.loans) == [first]
        assert numbers[At.TAKEN] > before

    play(story)


def test_nothing_is_taken_from_a_worker_that_has_the_turn() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        _, loan = await lent(rig, puppet)
        puppet.answer(loan)
        puppet.keep(loan)
        puppet.board.numbers[At.STARTED] = asyncio.get_running_loop().time() - LONG  # turn not down
        await looks(rig)

        assert list(puppet.end.loans) == [loan.slot]
        assert puppet.board.numbers[At.TAKEN] == 0

    play(story)


def test_a_worker_that_was_relieved_has_room_again_when_its_call_is_over() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        client, loan = await lent(rig, puppet, "long")
        other = rig.client()
        other.post("other")
        await until(lambda: puppet.end.unseen)
        puppet.begin(ago=LONG)
        await until(lambda: rig.lending.waiting)
        puppet.end_run()
        puppet.pace(LONG)  # it is no longer fast
        puppet.answer(loan)
        puppet.say(Kind.BACK, loan)
        client.hear()

        dropped = puppet.receive()
        again = await until_received(puppet)
        assert (body_of(dropped), body_of(again)) == ("other", "other")
        assert dropped.serial <= puppet.board.numbers[At.TAKEN] < again.serial

    play(story)


async def until_received(puppet: Puppet) -> Message:
    await until(lambda: puppet.end.unseen)
    return puppet.receive()


# callers that leave


def test_a_caller_that_leaves_has_its_own_call_broken_off() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, _ = await lent(rig, puppet)
        puppet.begin(ago=LONG)
        client.sock.close()

        await until(lambda: rig.killed)
        assert puppet.board.numbers[At.STOP] == puppet.board.numbers[At.RUNS] == 1

    play(story)


@pytest.mark.parametrize("hand", [Hand.CLEAN, Hand.ANSWERED])
def test_a_caller_that_leaves_never_has_the_call_of_another_broken_off(hand: int) -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        leaving, loan = await lent(rig, puppet)
        puppet.begin(ago=LONG)
        await looks(rig)  # the parent watches it now
        puppet.end_run()
        puppet.answer(loan)
        puppet.board.hands[loan.slot] = hand
        staying, _ = await lent(rig, puppet)
        puppet.begin()  # so short that nothing is taken back yet
        leaving.sock.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        puppet.board.numbers[At.STARTED] -= LONG
        await looks(rig)

        assert rig.killed == []
        staying.sock.close()
        await until(lambda: rig.killed)

    play(story)


def test_a_caller_that_leaves_the_queue_is_never_lent() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        await lent(rig, puppet)
        puppet.begin(ago=LONG)
        leaving = rig.client()
        leaving.post("leaving")
        await until(lambda: rig.lending.waiting)
        leaving.sock.close()

        await until(lambda: not rig.lending.waiting)
        assert puppet.end.unseen == 0

    play(story)


def test_who_leaves_after_having_been_taken_back_is_withdrawn_too() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        await lent(rig, puppet)
        leaving = rig.client()
        leaving.post("leaving")
        await until(lambda: puppet.end.unseen)
        leaving.sock.close()
        puppet.begin(ago=LONG)

        await until(lambda: len(puppet.end.loans) == 1)
        await until(lambda: len(rig.connections) == 1)
        assert rig.lending.waiting == 0
        assert rig.killed == []

    play(story)


def test_a_call_whose_time_is_up_is_broken_off_once() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        await lent(rig, puppet)
        puppet.begin()
        puppet.board.numbers[At.LIMIT] = asyncio.get_running_loop().time() - 0.001
        await until(lambda: rig.killed)
        await looks(rig)

        assert len(rig.killed) == 1

    play(story)


# deaths


def test_a_dead_worker_costs_the_request_in_hand_an_answer_that_says_so() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, _ = await lent(rig, puppet)
        puppet.begin()
        puppet.die(rig)

        heard = client.hear()
        assert heard.startswith(b"HTTP/1.1 500")
        assert b"this: killed" in heard
        assert b"connection: close" not in heard

    play(story)


def test_a_request_that_was_lent_but_not_seen_is_run_by_the_next_worker() -> None:
    async def story(rig: Rig) -> None:
        dying, next_one = rig.puppets
        next_one.end.ready_at = None
        client = rig.client()
        client.post("unseen")
        await until(lambda: dying.end.unseen)
        next_one.end.ready_at = 0.0
        dying.die(rig)

        await until(lambda: next_one.end.unseen)
        assert body_of(next_one.receive()) == "unseen"

    play(story, workers=2)


@pytest.mark.parametrize("hand", [Hand.CLEAN, Hand.ANSWERED])
def test_kept_connections_outlive_their_worker(hand: int) -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, loan = await lent(rig, puppet)
        puppet.answer(loan)
        client.hear()
        puppet.board.hands[loan.slot] = hand
        puppet.die(rig)
        client.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")

        assert (await asyncio.to_thread(client.hear)).endswith(b"probe")

    play(story)


@pytest.mark.parametrize("hand", [Hand.READING, Hand.ANSWERING])
def test_a_connection_in_the_middle_of_something_breaks_with_its_worker(hand: int) -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, loan = await lent(rig, puppet)
        puppet.board.hands[loan.slot] = hand
        puppet.die(rig)

        await until(lambda: not len(rig.connections))
        assert client.hear() == b""

    play(story)


def test_a_request_that_only_the_dead_worker_had_read_is_answered_for_itself() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, loan = await lent(rig, puppet)
        puppet.answer(loan)
        client.hear()
        puppet.board.hands[loan.slot] = Hand.FOLLOWING
        puppet.die(rig)

        heard = client.hear()
        assert heard.startswith(b"HTTP/1.1 500")
        assert b"a later one: killed" in heard
        assert b"connection: close" in heard  # what it wanted afterwards is not known
        await until(lambda: not len(rig.connections))

    play(story)


def test_last_words_of_a_dead_worker_are_heard() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, loan = await lent(rig, puppet)
        puppet.answer(loan, b"HTTP/1.1 200 OK\r\ncontent-le")
        puppet.board.hands[loan.slot] = Hand.ANSWERING
        puppet.say(Kind.BACK, loan, leading=10, body=b"ngth: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        puppet.die(rig)

        await until(lambda: not puppet.end.loans)
        heard = client.hear()
        assert heard.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 0")
        assert heard.endswith(b"probe")

    play(story)


# the end


def test_a_connection_that_comes_back_while_the_server_stops_is_served_before_it_closes() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, loan = await lent(rig, puppet)
        puppet.answer(loan)
        client.hear()
        draining = asyncio.ensure_future(rig.connections.drain())
        await asyncio.sleep(0)
        client.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        puppet.say(Kind.BACK, loan)

        heard = await asyncio.to_thread(client.hear)
        assert heard.endswith(b"probe")
        assert b"connection: close" in heard
        await asyncio.wait_for(draining, 5)

    play(story)


def test_requests_that_come_back_unread_while_the_server_stops_are_all_served() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        client, loan = await lent(rig, puppet)
        puppet.answer(loan)
        client.hear()
        draining = asyncio.ensure_future(rig.connections.drain())
        await asyncio.sleep(0)
        puppet.say(Kind.BACK, loan, body=b"GET / HTTP/1.1\r\n\r\n" * 2)

        await asyncio.wait_for(draining, 5)
        assert client.hear().count(b"probe") == 2

    play(story)


# room


def test_the_last_slots_are_for_passing_through_so_that_nobody_is_locked_out() -> None:
    async def story(rig: Rig) -> None:
        (puppet,) = rig.puppets
        puppet.pace(FAST)
        kept = 0
        clients = []
        while True:
            client, loan = await lent(rig, puppet)
            clients.append(client)
            puppet.answer(loan)
            if not loan.flags & Flag.MAY_KEEP:
                break
            puppet.keep(loan)
            kept += 1

        assert kept >= 900
        assert puppet.end.has_room(0.0)

    play(story)


def test_a_worker_whose_socket_is_full_keeps_nobody_from_the_others() -> None:
    async def story(rig: Rig) -> None:
        full, free = rig.puppets
        full.pace(FAST)
        free.pace(FAST)
        free.end.ready_at = None
        clients = []
        while not rig.lending.waiting:  # bodies as long as a message may be
            client = rig.client()
            clients.append(client)
            client.sock.setblocking(True)  # noqa: FBT003
            await asyncio.to_thread(client.post, "x" * 30000)
            await asyncio.sleep(0)
        free.end.ready_at = 0.0

        await until(lambda: free.end.unseen)
        for loan in (free.receive(),):
            assert body_of(loan) == "x" * 30000

    play(story, workers=2)
