"""Processes to freeze, each a real one that says `ready` and answers over its stdin and stdout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COUNTERS = 64  # on as many pages, all written in turn, so that a torn copy shows

COUNTING = """
import ctypes, mmap, sys
memory = mmap.mmap(-1, 64 * mmap.PAGESIZE)
words = [ctypes.c_uint64.from_buffer(memory, page * mmap.PAGESIZE) for page in range(64)]
print("ready", ctypes.addressof(words[0]), flush=True)
number = 0
while True:
    number += 1
    for word in words:
        word.value = number
"""

# Three threads in system calls that a stop interrupts, and a clock; says afterwards what became of them.
WAITING = """
import json, os, select, socket, sys, threading, time
near, far = socket.socketpair()
answers = {}
def sleep():
    began = time.monotonic()
    time.sleep(float(sys.argv[1]))
    answers["slept"] = time.monotonic() - began
def receive():
    answers["received"] = near.recv(10).decode()
def poll():
    reader, answers["writer"] = os.pipe()
    epoll = select.epoll()
    epoll.register(reader, select.EPOLLIN)
    answers["polled"] = len(epoll.poll(60))
def lock():
    with held:
        answers["locked"] = True
held = threading.Lock()
held.acquire()
threads = [threading.Thread(target=work) for work in (sleep, receive, poll, lock)]
for thread in threads:
    thread.start()
while "writer" not in answers:
    time.sleep(0.001)
print("ready", flush=True)
sys.stdin.readline()
far.send(b"hello")
os.write(answers.pop("writer"), b"x")
held.release()
for thread in threads:
    thread.join()
print(json.dumps(answers), flush=True)
"""

# Threads that are born and end all the time; says how many did.
CHURNING = """
import sys, threading
ended = 0
go = True
def churn():
    global ended
    while go:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        ended += 1
threads = [threading.Thread(target=churn) for _ in range(4)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
go = False
for thread in threads:
    thread.join()
print(ended, flush=True)
"""

# Sends itself real-time signals, which queue, and counts in C code how many arrive.
SIGNALLED = """
import contextlib, os, signal, sys, threading, time
reader, writer = os.pipe()
os.set_blocking(reader, False)
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
signal.signal(signal.SIGRTMIN, lambda number, frame: None)
sent = seen = 0
go = True
def send():
    global sent
    while go:
        os.kill(os.getpid(), signal.SIGRTMIN)
        sent += 1
        limit = time.monotonic() + 5
        while seen_bytes() < sent and time.monotonic() < limit:
            pass
counted = 0
def seen_bytes():
    global counted
    with contextlib.suppress(BlockingIOError):
        counted += len(os.read(reader, 100))
    return counted
thread = threading.Thread(target=send)
thread.start()
print("ready", flush=True)
sys.stdin.readline()
go = False
thread.join()
print(sent, counted, flush=True)
"""

# An asyncio program with waiting tasks, an echo server, and a clock; says what they saw.
LOOP = """
import asyncio, json, sys, time
errors, ticks = [], 0
async def wait(event, depth=3):
    if depth:
        return await wait(event, depth - 1)
    await event.wait()
async def clock():
    global ticks
    while True:
        await asyncio.sleep(0.001)
        ticks += 1
async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()
async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(str(context)))
    event = asyncio.Event()
    tasks = [asyncio.create_task(wait(event), name=f"waiter-{n}") for n in range(int(sys.argv[1]))]
    ticking = asyncio.create_task(clock(), name="clock")
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    await asyncio.sleep(0.01)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while command := (await reader.readline()).decode().strip():
        pending = sum(not task.done() for task in tasks)
        print(json.dumps({"pending": pending, "ticks": ticks, "errors": errors}), flush=True)
asyncio.run(main())
"""

# Threads that start processes all the time; says how many.
SPAWNING = """
import subprocess, sys, threading
started = 0
go = True
def spawn():
    global started
    while go:
        subprocess.run(["/bin/true"])
        started += 1
threads = [threading.Thread(target=spawn) for _ in range(2)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
go = False
for thread in threads:
    thread.join()
print(started, flush=True)
"""

# Tasks that never rest: their chains grow and shrink all the time, always in the same order.
HOT = """
import asyncio, random, sys
async def inner(queue):
    chance = random.random()
    if chance < 0.3:
        await asyncio.sleep(0)
    elif chance < 0.6:
        await asyncio.sleep(chance / 500)
    else:
        queue.put_nowait(1)
        await queue.get()
async def middle(queue):
    await inner(queue)
async def outer(queue):
    while True:
        await middle(queue)
async def main():
    queue = asyncio.Queue()
    tasks = [asyncio.create_task(outer(queue)) for _ in range(int(sys.argv[1]))]
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
"""

# Answers each line and sleeps again.
WAKING = """
import sys
print("ready", flush=True)
while sys.stdin.readline():
    print("awake", flush=True)
"""

SLEEPING = """
import sys
print("ready", flush=True)
sys.stdin.readline()
"""


@dataclass
class Patient:
    """A running process and what it said after `ready`."""

    process: subprocess.Popen[str]
    words: list[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, line: str = "") -> str:
        """Send a line, which lets most of them finish, and read the answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def running(program: str, *arguments: str, python: str | Path = sys.executable) -> Iterator[Patient]:
    """A Python program from `ready` to its end."""
    command = [str(python), "-c", program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            words = process.stdout.readline().split()
            assert words[0] == "ready"
            yield Patient(process, words[1:])
        finally:
            process.kill()


def state(pid: int) -> str:
    """The letter of /proc/PID/stat."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def tracer_of(pid: int) -> int:
    """Who traces it, 0 for nobody."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("TracerPid"))
