"""The process section against what real processes say of themselves."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from collect_patients import as_nobody, patient, until

from qqdiag.collect import cgroup, process, process_elsewhere, syscalls
from qqdiag.errors import NoSuchTarget, TargetGone
from qqdiag.model import Secret
from qqdiag.snapshot import OsThread, Process

PLAIN = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (77, 99))
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
say({"fds": len(os.listdir("/proc/self/fd")) - 1, "ticks": int(open("/proc/self/stat").read().split()[21])})
serve()
"""


def test_facts_are_what_the_process_says_of_itself() -> None:
    with patient(PLAIN, "first argument", "--token=x") as there:
        seen = process.collect(there.pid)
        assert (seen.pid, seen.namespace_pid, seen.start_ticks) == (there.pid, there.pid, there.first["ticks"])
        assert (seen.fds, seen.fd_limit) == (there.first["fds"], 77)
        assert seen.argv[-2:] == [Secret("first argument"), Secret("--token=x")]
        assert seen.executable is not None
        assert seen.executable.reveal() == os.path.realpath(sys.executable)
        assert (seen.uid, seen.tracer, seen.namespaces_differ) == (os.geteuid(), 0, [])
        assert 0 <= seen.uptime < 60
        assert 2**20 < seen.rss < 2**30
        assert seen.threads[0].tid == there.pid


WAITS = """
import selectors
def sleeping(): time.sleep(1000)
def locked():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
def receiving():
    ours, theirs = socket.socketpair()
    ours.recv(1)
def reading(): os.read(os.pipe()[0], 1)
def polling():
    poll = select.poll()
    poll.register(os.pipe()[0], select.POLLIN)
    poll.poll()
def selecting(): select.select([os.pipe()[0]], [], [])
def epolling(): selectors.EpollSelector().select(None)
def writing():
    write = os.pipe()[1]
    while True:
        os.write(write, b"x" * 4096)
def accepting(): socket.create_server(("127.0.0.1", 0)).accept()
def waiting(): os.waitid(os.P_PID, child, os.WEXITED)
def flocking(): fcntl.flock(mine, fcntl.LOCK_EX)
def connecting():
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    queued = [socket.socket() for _ in range(3)]
    for one in queued:
        one.setblocking(False)
        one.connect_ex(server.getsockname())
    socket.socket().connect(server.getsockname())
child = os.fork()
if child == 0:
    signal.pause()
    os._exit(0)
theirs, mine = (os.open(sys.argv[1], os.O_RDWR | os.O_CREAT) for _ in range(2))
fcntl.flock(theirs, fcntl.LOCK_EX)
kinds = [sleeping, locked, receiving, reading, polling, selecting, epolling, writing, accepting, waiting, flocking,
         connecting]
threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]
for thread in threads:
    thread.start()
say({"child": child, "threads": {kind.__name__: thread.native_id for kind, thread in zip(kinds, threads)}})
serve()
"""
# x86-64's C library; aarch64 has neither poll nor select, and epoll_pwait for epoll_wait
EXPECTED = {
    "sleeping": {"clock_nanosleep"}, "locked": {"futex"}, "receiving": {"recvfrom"}, "reading": {"read"},
    "polling": {"poll", "ppoll"}, "selecting": {"select", "pselect6"}, "epolling": {"epoll_wait", "epoll_pwait"},
    "writing": {"write"}, "accepting": {"accept4"}, "waiting": {"waitid"}, "flocking": {"flock"},
    "connecting": {"connect"},
}  # fmt: skip


def test_each_thread_is_named_by_the_call_it_waits_in(tmp_path: os.PathLike[str]) -> None:
    with patient(WAITS, f"{tmp_path}/lock") as there:

        def by_kind() -> dict[str, OsThread]:
            seen = {thread.tid: thread for thread in process.collect(there.pid).threads}
            return {kind: seen[tid] for kind, tid in there.first["threads"].items()}

        def settled(seen: dict[str, OsThread]) -> bool:
            return all(thread.syscall and thread.syscall.reveal() in EXPECTED[kind] for kind, thread in seen.items())

        try:
            seen = until(by_kind, settled)
        finally:
            os.kill(there.first["child"], 9)
        assert {thread.state.reveal() for thread in seen.values()} == {"S"}
        wchan = seen["sleeping"].wchan
        assert wchan is not None
        assert "nanosleep" in wchan.reveal()
        timeout = seen["epolling"].syscall_args[3]
        assert timeout & 0xFFFFFFFF == 0xFFFFFFFF


def test_a_spinning_thread_runs_and_uses_up_its_time() -> None:
    with patient("say(1)\nwhile True: pass") as there:
        seen = until(lambda: process.collect(there.pid), lambda seen: seen.threads[0].user_seconds > 0.1)
        assert seen.state.reveal() == "R"
        assert seen.threads[0].syscall is not None
        assert seen.threads[0].syscall.reveal() == "running"
        assert seen.user_seconds >= seen.threads[0].user_seconds > 0


def test_a_name_with_brackets_and_blanks_does_not_shift_the_fields() -> None:
    program = 'open("/proc/self/comm", "w").write(") R 1 (x")\nsay(1)\nserve()'
    with patient(program) as there:
        seen = until(lambda: process.collect(there.pid), lambda seen: seen.state.reveal() == "S")
        assert seen.threads[0].name.reveal() == ") R 1 (x"
        assert seen.threads[0].state.reveal() == "S"


def test_a_stopped_process_is_read() -> None:
    with patient("say(1)\nos.kill(os.getpid(), signal.SIGSTOP)") as there:
        seen = until(lambda: process.collect(there.pid), lambda seen: seen.state.reveal() == "T")
        assert seen.threads[0].state.reveal() == "T"


def test_another_tracer_is_named() -> None:
    tracer = """
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
say(libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None))
serve()
"""
    with patient("say(1)\nserve()") as there, patient(tracer, str(there.pid)) as other:
        if other.first != 0:
            pytest.skip("tracing takes CAP_SYS_PTRACE: sudo pytest")
        assert process.collect(there.pid).tracer == other.pid


def test_no_such_process() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
        with pytest.raises(NoSuchTarget):
            process.collect(ended.pid)


def test_a_zombie_is_gone() -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TargetGone) as raised:
            process.collect(ended.pid)
        assert "zombie" in raised.value.message.template


def test_a_process_whose_main_thread_ended_lives() -> None:
    program = """
threading.Thread(target=serve).start()
say(1)
SYS_exit = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
ctypes.CDLL(None).syscall(SYS_exit, 0)
"""
    with patient(program) as there:
        seen = until(lambda: process.collect(there.pid), lambda seen: seen.threads[0].state.reveal() == "Z")
        assert [thread.state.reveal() for thread in seen.threads[1:]] == ["S"]


@pytest.mark.root
def test_what_another_user_hides_is_none() -> None:
    with patient("say(1)\nserve()") as there:
        seen = as_nobody(
            """
seen = process.collect(int(sys.argv[1]))
say([seen.executable, seen.namespaces_differ, seen.threads[0].wchan, seen.threads[0].syscall, seen.user])
""",
            there.pid,
        )
        assert seen == [None] * 5


@pytest.mark.root
def test_a_hidden_process_is_not_permitted_and_not_absent() -> None:
    code = """
def kind(pid):
    try:
        return process.collect(pid).state.reveal()
    except QqdiagError as error:
        return error.kind
say([kind(int(sys.argv[1])), kind(2 ** 22)])
"""
    hide = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    with patient("say(1)\nserve()") as there:
        seen = as_nobody(code, there.pid, before=["unshare", "--mount", "sh", "-c", hide, "sh"])
        assert seen == ["not-permitted", "no-such-target"]


@pytest.mark.root
def test_a_process_in_namespaces_of_its_own() -> None:
    if os.geteuid() != 0:
        pytest.skip("namespaces take root: sudo pytest")
    with patient("say(os.getpid())\nserve()", before=["unshare", "--pid", "--net", "--fork", "--kill-child"]) as there:
        inner = until(lambda: _children(there.pid), bool)[0]
        seen = process.collect(inner)
        assert [word.reveal() for word in seen.namespaces_differ or []] == ["pid", "net"]
        assert (seen.pid, seen.namespace_pid) == (inner, there.first)


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def test_psutil_says_the_same_where_there_is_no_proc() -> None:
    with patient("say(1)\nserve()", "an argument") as there:
        ours, theirs = process.collect(there.pid), process_elsewhere.collect(there.pid)
        names = ("pid", "uid", "user", "executable", "argv", "fds")
        assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
        assert abs(ours.uptime - theirs.uptime) < 2
        assert [thread.tid for thread in theirs.threads] == [there.pid]
    with pytest.raises(NoSuchTarget):
        process_elsewhere.collect(there.pid)


HEX = "3f" * 32


@pytest.mark.parametrize(
    ("groups", "unit", "container"),
    [
        ("0::/system.slice/hermes-gateway.service\n", "hermes-gateway.service", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/bot.service\n", "bot.service", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte.scope\n", None, None),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None, None),
        ("9:name=systemd:/system.slice/bot.service\n4:memory:/x\n0::/\n", "bot.service", None),
        (f"0::/system.slice/docker-{HEX}.scope\n", None, HEX),
        (f"12:pids:/docker/{HEX}\n1:name=systemd:/docker/{HEX}\n", None, HEX),
        (f"0::/machine.slice/libpod-{HEX}.scope/container\n", None, HEX),
        (f"0::/kubepods.slice/kubepods-pod0a.slice/cri-containerd-{HEX}.scope\n", None, HEX),
        (f"0::/system.slice/containerd.service/kubepods-pod1:cri-containerd:{HEX}\n", "containerd.service", HEX),
        (f"0::/../docker-{HEX}.scope\n", None, HEX),
        ("0::/lxc.payload.bots/system.slice/bot.service\n", "bot.service", "bots"),
        ("0::/machine.slice/machine-bots.scope\n", None, "bots"),
        ("0::/\n", None, None),
        ("", None, None),
        ("no colons\n0::\n", None, None),
    ],
)
def test_unit_and_container_by_control_group(groups: str, unit: str | None, container: str | None) -> None:
    found = (cgroup.unit(groups), cgroup.container(groups))
    assert tuple(part.reveal() if part else None for part in found) == (unit, container)


@pytest.mark.parametrize(
    ("groups", "uid"),
    [
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/hermes-gateway.service\n", 1000),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/app-bot.slice/bot@2.service\n", 0),
        ("9:name=systemd:/user.slice/user-7.slice/user@7.service/bot.service\n0::/\n", 7),
        ("0::/system.slice/bot.service\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
        ("0::/system.slice/user@x.service/bot.service\n", None),
        ("0::/lxc.payload.a/user.slice/user-5.slice/user@5.service/app.slice/bot.service\n", 5),
        ("", None),
    ],
)
def test_whose_manager_has_the_unit(groups: str, uid: int | None) -> None:
    assert cgroup.manager(groups) == uid


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("running\n", "running", []),
        ("", "running", []),
        ("-1 0x7ffd 0x7f00\n", "none", []),
        ("232 0x5 0x7f 0x3 0xffffffff 0x0 0x0 0x7ffd 0x7f00\n", "epoll_wait", [5, 0x7F, 3, 0xFFFFFFFF, 0, 0]),
        ("999 0x1 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n", "syscall-999", [1, 0, 0, 0, 0, 0]),
    ],
)
def test_syscall_lines(line: str, name: str, arguments: list[int]) -> None:
    assert syscalls.parse(line, syscalls.X86_64) == (name, arguments)


def test_system_calls_are_named_for_the_machine_and_the_word_size() -> None:
    elf64, elf32 = b"\x7fELF\x02\x01", b"\x7fELF\x01\x01"
    assert syscalls.table("x86_64", elf64)[232] == "epoll_wait"
    assert syscalls.table("aarch64", elf64)[22] == "epoll_pwait"
    assert syscalls.table("x86_64", elf32) == syscalls.table("riscv64", elf64) == {}


def test_every_field_is_hidden_from_text() -> None:
    with patient("say(1)\nserve()", "--token=abc") as there:
        seen: Process = process.collect(there.pid)
        assert "abc" not in repr(seen)
