"""The lab's hosted gateway (`qqdiag lab start session-zombie`): names and phrases of lab/hosted.py and the fixes."""

from __future__ import annotations

from qqdiag.profiles import AdapterShape, Phrase, Profile

_ADAPTER = "qqdiag.fixes.adapter"
_HOST = "__main__"  # lab/hosted.py is run as a program

HOSTED = AdapterShape(
    platform="lab",
    type_name="Hosted",
    module=_HOST,
    attributes={
        "websocket": "ws",
        "listener": "alone",
        "heartbeat": "beating",
        "sequence": "last_seq",
        "stopped": "stopped",
    },
    heartbeat_answered=True,
)

PROFILE = Profile(
    id="lab",
    argv=("qqdiag.lab.hosted",),
    home_variable="QQDIAG_LAB_HOME",
    default_home=".qqdiag-lab",
    adapters=(HOSTED,),
    log_files={"gateway": "lab-gateway.log"},
    line=(
        r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[A-Z]+) "
        r"(?P<logger>[\w.]+): (?P<message>.*)"
    ),
    time_format="%Y-%m-%d %H:%M:%S,%f",
    phrases=(
        Phrase("connected", r"^connected$", _ADAPTER),
        Phrase("identified", r"^identify sent", _ADAPTER),
        Phrase("resume-sent", r"^resume sent, seq (\d+)", _ADAPTER),
        Phrase("ready", r"^ready by READY$", _ADAPTER),
        Phrase("resumed", r"^ready by RESUMED$", _ADAPTER),
        Phrase("closed", r"^connection lost: Closed\((\d+|None)\)", _ADAPTER),
        Phrase("error", r"^connection lost: ", _ADAPTER),
        Phrase("reconnect-failed", r"^attempt (\d+) failed: ", _ADAPTER),
        Phrase("fatal", r"^stopped for good: ", _ADAPTER),
        Phrase(
            "connect-refused",
            r"^connect of \w+ failed: (?:\w+\.)*connect\(\) (?:got (?:an unexpected|multiple|some)|missing|takes)",
            _HOST,
        ),
        Phrase("connect-failed", r"^connect of \w+ failed: ", _HOST),
    ),
)
