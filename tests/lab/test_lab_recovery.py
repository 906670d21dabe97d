"""The adapter with all fixes comes back from every fault, and answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest

from qqdiag.lab.control import Server
from qqdiag.lab.faults import Faults
from qqdiag.lab.start import Running, start

pytestmark = pytest.mark.lab

Throw = Callable[[Server], object]


def closed_with(code: int) -> Throw:
    return lambda server: server.close(code)


def cut(how: str, **faults: object) -> Throw:
    def throw(server: Server) -> None:
        server.switch(**faults)
        server.cut(how)

    return throw


def switched(**faults: object) -> Throw:
    return lambda server: server.switch(**faults)


def without_token(how: str) -> Throw:
    def throw(server: Server) -> None:
        server.switch(token=how)
        server.close(4004)  # the token is no longer good: a new one is asked for

    return throw


FAULTS: dict[str, Throw] = {
    "fin": cut("fin"),
    "rst": cut("rst"),
    "op 9": cut("invalid-session"),
    "4009": closed_with(4009),
    "4006": closed_with(4006),
    "4008": closed_with(4008),
    "op 7, CLOSE ignored": cut("reconnect", answer_close=False),
    "op 7, chatter": cut("reconnect", answer_close=False, chatter=0.1),
    "bad Hello, chatter": cut("bad-hello", answer_close=False, chatter=0.1),
    "no ACK": switched(ack=False),
    "frozen": lambda server: server.freeze(),
    "refused": cut("fin", accept=False),
    "token fails": without_token("fail"),
    "token hangs": without_token("hang"),
    "token dribbles": without_token("dribble"),
    "gateway fails": cut("fin", gateway="fail"),
    "gateway hangs": cut("rst", gateway="hang"),
    "gateway dribbles": cut("fin", gateway="dribble"),
    "upgrade fails": cut("fin", upgrade="fail"),
    "upgrade hangs": cut("rst", upgrade="hang"),
    "no Hello": cut("fin", hello=False),
    "Identify ignored": cut("fin", identify=False),
    "nothing read": switched(read="nothing"),
    "nothing read, PINGs": switched(read="nothing", pings=True),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("fault", FAULTS)
def test_it_comes_back(fault: str, tls: bool) -> None:
    with start("recovered", tls=tls) as running:
        before = running.server.seen()
        connections = local_ports(running)
        FAULTS[fault](running.server)
        noticed(running, connections)
        heal(running.server, fault)
        entered = before["identifies"] + before["resumes"]
        running.server.until(
            "a new session", lambda seen: seen["open"] == 1 and seen["identifies"] + seen["resumes"] > entered
        )
        running.server.say("and now?")
        seen = running.server.until("an answer", lambda seen: seen["answers"] > before["answers"])
        assert seen["contents"][-1] == "you said and now?"


def heal(server: Server, fault: str) -> None:
    if fault == "frozen":
        server.thaw()
    server.switch(**vars(Faults()))


def local_ports(running: Running) -> set[int]:
    """Local ports of the gateway's connections to the platform."""
    return {row.laddr.port for row in psutil.Process(running.pid).net_connections("tcp") if row.status == "ESTABLISHED"}


def noticed(running: Running, connections: set[int]) -> None:
    """Wait until the gateway has given a connection up."""
    end = time.monotonic() + 20
    while connections <= local_ports(running):
        assert time.monotonic() < end, "the gateway holds on to its connection"
        time.sleep(0.02)


@pytest.mark.parametrize("code", [4014, 4914, 4915])
def test_it_stops_where_connecting_again_is_forbidden(code: int) -> None:
    with start("recovered") as running:
        before = running.server.seen()
        running.server.close(code)
        running.server.until("no connection", lambda seen: seen["open"] == 0)
        time.sleep(1.0)  # ten times its back-off
        after = running.server.seen()
        assert after["connections"] == before["connections"]
        assert "stopped for good" in running.gateway.said()


def test_no_message_is_lost_over_a_resume() -> None:
    """What the platform keeps for the session while nobody is connected comes with the Resume."""
    with start("recovered") as running:
        for number in range(20):
            running.server.say(f"message {number}")
            if number % 5 == 4:
                running.server.cut("rst")
                running.server.until(
                    "a Resume", lambda seen, n=number: seen["open"] == 1 and seen["resumes"] >= 4 + n // 5
                )
        running.server.until("every answer", lambda seen: seen["answers"] >= 21)
        assert {f"you said message {number}" for number in range(20)} <= set(running.server.seen()["contents"])


def test_a_message_that_is_none_is_passed_over() -> None:
    """It must not end the listener, nor the connection: a Resume would bring it again."""
    with start("recovered") as running:
        before = running.server.seen()
        for body in ("null", "[]", '{"author": {}}', '{"author": {"user_openid": "x"}, "content": "y"}'):
            running.server.frame(f'{{"op": 0, "s": 99, "t": "C2C_MESSAGE_CREATE", "d": {body}}}')
        running.server.say("and now?")
        after = running.server.until("an answer", lambda seen: seen["answers"] > before["answers"])
        assert after["connections"] == before["connections"]


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "1", '{"op": 10}', '{"op": 10, "d": {"heartbeat_interval": 0}}', '{"op": 0, "t": "READY"}'],
)
def test_a_frame_that_is_none_ends_the_connection_and_not_the_bot(text: str) -> None:
    with start("recovered") as running:
        before = running.server.seen()
        running.server.frame(text)
        running.server.until(
            "a Resume", lambda seen: seen["resumes"] > before["resumes"] and seen["connections"] > before["connections"]
        )
