"""What a command that changes something takes from you: said before it is offered."""

from __future__ import annotations

from qqdiag.model import Say

NOTHING = Say("costs nothing")
# The first whose words are all in the command.
COSTS = (
    (("kill", "-CONT"), NOTHING),
    (
        ("kill", "-9"),
        Say("costs its connections and what its handlers had not finished; it saves nothing before it ends"),
    ),
    (("kill",), Say("costs its connections and its running handlers; what nothing supervises is not started again")),
    (("systemctl", "restart"), Say("costs its connections, its running handlers, and the events until it is back")),
    (("systemctl", "stop"), Say("costs the answers of that gateway until it is started again")),
    (("systemctl", "set-property"), NOTHING),
    (("prlimit",), NOTHING),
    (("ss", "-K"), Say("costs this one connection; the gateway makes a new one if it can")),
    (("umount", "-f"), Say("costs what was written there and has not arrived; who waits for it gets an error")),
    (("fsfreeze", "-u"), NOTHING),
    (("tee",), Say("costs every wait for a file system of that kind: each ends with an error")),
    (("cat", ">"), Say("costs the lines that are in the pipe")),
)


def cost(command: str) -> Say:
    """What it costs; that it is not known, where it is not."""
    words = command.split()
    for needed, text in COSTS:
        if all(word in words for word in needed):
            return text
    return Say("costs what nobody has written down: read it first")
