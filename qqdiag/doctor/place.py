"""Where qqdiag runs: how sudo finds it, whether a container hides the rest, whether the machine was ever tried."""

from __future__ import annotations

import os
import platform
import shutil

from qqdiag.doctor.check import Check
from qqdiag.model import Say, Word

SUDO_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # secure_path as Debian's sudoers(5) has it
FIRST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO, linux/proc_ns.h: the one that sees every process
FIRST_USER_NAMESPACE = "user:[4026531837]"  # PROC_USER_INIT_INO: whose capabilities hold for every process


def is_of_the_machine() -> bool:
    """Whether the capabilities of this process hold for the whole machine (user_namespaces(7))."""
    return os.readlink("/proc/self/ns/user") == FIRST_USER_NAMESPACE


def sudo() -> Check:
    what = Word("sudo")
    if os.geteuid() == 0 and is_of_the_machine():
        return Check(what, True, Say("not needed: this is root"))
    if os.geteuid() == 0:
        found = Say("this is the root of a user namespace, which the machine knows as another user")
        return Check(what, False, found, Say("gateways of other users: only as root"), Say("leave the namespace"))
    if shutil.which("sudo") is None:
        return Check(what, False, Say("there is no sudo"), Say("gateways of other users: only as root"), Say("su -"))
    if shutil.which("qqdiag", path=SUDO_PATH) is None:
        found = Say("sudo does not search the folder that qqdiag is in")
        return Check(what, False, found, Say("`sudo qqdiag` is not found"), Say('sudo "$(command -v qqdiag)" ps'))
    return Check(what, True, Say("sudo finds qqdiag"))


def container() -> Check:
    """A container that shares the host's pid namespace sees what the host sees."""
    what = Word("container")
    if os.readlink("/proc/self/ns/pid") == FIRST_PID_NAMESPACE:
        return Check(what, True, Say("every process of this machine can be seen"))
    costs = Say("only the processes of this container can be seen")
    found = Say("this is a container: it has a pid namespace of its own")
    return Check(what, False, found, costs, Say("run it on the host, or: docker run --pid=container:NAME"))


def machine() -> Check:
    what, name = Word("machine"), Word(platform.machine())
    if name.reveal() == "x86_64":
        return Check(what, True, Say("Linux on {machine}", machine=name))
    costs = Say("no release was tried on it: what cannot be read is said, but watch for what cannot be true")
    return Check(what, False, Say("Linux on {machine}", machine=name), costs, Say("tell how it went"))


ALL = (sudo, container, machine)
