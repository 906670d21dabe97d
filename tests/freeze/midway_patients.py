"""Programs that become another one, fork or end at a word, so that a test can say when."""

from __future__ import annotations

# An event loop that waits; at a line on its stdin it executes its arguments.
EXECUTES = """
import asyncio, os, sys
async def first_program():
    await asyncio.get_running_loop().create_future()
async def main():
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(first_program(), name="first")
    loop.add_reader(0, lambda: (sys.stdin.readline(), os.execv(sys.argv[1], sys.argv[1:])))
    loop.call_soon(print, "ready")
    loop.call_soon(sys.stdout.flush)
    await task
asyncio.run(main())
"""

# What it becomes: the same interpreter with other tasks, at the same addresses where nothing is random.
SECOND = """
import asyncio, sys
async def second_program():
    await asyncio.get_running_loop().create_future()
async def main():
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(second_program(), name="second")
    loop.call_soon(print, "second")
    loop.call_soon(sys.stdout.flush)
    await task
asyncio.run(main())
"""

# Executes itself over and over, each time with other tasks: their names are all of one run.
REBORN = """
import asyncio, os, sys
number = int(sys.argv[1])
async def wait():
    await asyncio.sleep(3600)
async def main():
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(wait(), name=f"run-{number}-{place}") for place in range(5)]
    if not number:
        loop.call_soon(print, "ready")
        loop.call_soon(sys.stdout.flush)
    loop.call_later(0.02 + number % 7 * 0.03, os.execv, sys.executable, [*sys.orig_argv[:-1], str(number + 1)])
    await asyncio.gather(*tasks)
asyncio.run(main())
"""

# Threads that fork and vfork all the time; their children end at once. Says how many children there were.
FORKING = """
import os, subprocess, sys, threading
started = 0
go = True
def fork():
    global started
    while go:
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        started += 1
def spawn():
    global started
    while go:
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        started += 1
threads = [threading.Thread(target=work) for work in (fork, spawn)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
go = False
for thread in threads:
    thread.join()
print(started, flush=True)
"""

# At a line, forks a child that lives until its stdin, the same as its parent's, is at its end; says its pid.
FORKS_ONCE = """
import os, sys
print("ready", flush=True)
sys.stdin.readline()
reader, writer = os.pipe()
child = os.fork()
if not child:
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
print(child, flush=True)
sys.stdin.readline()
os.close(writer)
print(os.waitpid(child, 0)[1], flush=True)
"""

# Stays in vfork, in state D: its child opens a FIFO before it executes, and there is no writer yet.
IN_VFORK = """
import os, sys
print("ready", flush=True)
opens = (os.POSIX_SPAWN_OPEN, 9, sys.argv[1], os.O_RDONLY, 0)
os.waitpid(os.posix_spawn("/bin/true", ["true"], {}, file_actions=[opens]), 0)
print("done", flush=True)
sys.stdin.readline()
"""
