"""The fault switches of the lab's server, and what it saw. Plain data, shared by the process and its owner."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Faults:
    """How the server misbehaves; each can be thrown while it runs. The defaults are a healthy platform."""

    heartbeat_interval: object = 300  # ms in Hello; anything, `None` too, to send a Hello that is wrong
    hello: bool = True  # say Hello after the upgrade
    identify: bool = True  # answer Identify and Resume
    resume: str = (
        "ok"  # "ok", "ignore" (as Resume of a session that is gone, unsaid), or "cut" (FIN instead of RESUMED)
    )
    ack: bool = True  # answer op 1
    answer_close: bool = True  # answer the client's CLOSE
    read: str = "all"  # "all", "nothing", or "slowly"
    pings: bool = False  # a flood of PING frames
    chatter: float = 0.0  # seconds between frames sent without need, CLOSE or not; 0: none
    events: float = 0.0  # seconds between messages of users, to every session; 0: none
    accept: bool = True  # False: connections are refused (no listening socket)
    token: str = "ok"  # "ok", "fail" (500), "hang", or "dribble" (a byte per half second)
    gateway: str = "ok"
    upgrade: str = "ok"  # "ok", "fail", "hang" (until it is switched), or "swallow" (for ever)
    model: str = "ok"  # the stand-in for a model API: "ok" or "hang"
    delay: float = 0.0  # seconds before any REST answer


@dataclass
class Seen:
    """What the server saw since it started."""

    connections: int = 0
    open: int = 0  # WebSockets open now
    tokens: int = 0
    gateways: int = 0
    identifies: int = 0
    resumes: int = 0
    heartbeats: int = 0  # op 1
    unanswered: int = 0  # op 1 that got no ACK since the last ACK
    closes: int = 0  # CLOSE frames of clients
    dispatched: int = 0  # events sent, READY and RESUMED included
    answers: int = 0  # messages posted over REST
    models: int = 0  # requests to the stand-in for a model API
    last_seq: int | None = None  # of the client's latest op 1
    identified_with: dict[str, object] = field(default_factory=dict)  # body of the latest Identify
    contents: list[str] = field(default_factory=list)  # of the latest messages posted
