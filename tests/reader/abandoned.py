"""A program with waits that nothing can end, and others that look alike. For CPython 3.9 and later.

It prints what it is as one JSON line and stands still until a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import weakref

HOLD = []


async def forgotten() -> None:
    await asyncio.get_running_loop().create_future()


async def forgotten_with_a_local() -> None:
    future = asyncio.get_running_loop().create_future()
    also = future
    await also


async def forgotten_deep() -> None:
    future = asyncio.get_running_loop().create_future()

    async def inner(waits) -> None:
        await waits

    await inner(future)


async def forgotten_python_future() -> None:
    await asyncio.futures._PyFuture()


class OwnFuture(asyncio.Future):
    """A future of the program's own class."""


async def forgotten_own_class() -> None:
    await OwnFuture()


def future():
    return asyncio.get_running_loop().create_future()


def start(coroutine):
    return asyncio.get_running_loop().create_task(coroutine)


async def waits_for_task() -> None:
    await start(forgotten())


async def waits_for_task_of_tasks() -> None:
    await start(waits_for_gather())


async def waits_for_gather() -> None:
    await asyncio.gather(forgotten(), forgotten(), future())


async def waits_for_futures() -> None:
    await asyncio.gather(future(), asyncio.futures._PyFuture())


async def waits_for_shield() -> None:
    await asyncio.shield(forgotten())


async def waits_for_shielded_future() -> None:
    await asyncio.shield(future())


async def waits_for_all() -> None:
    await asyncio.wait([start(forgotten()), start(forgotten())])


async def waits_for_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(forgotten())


async def one_child_ends() -> None:
    await asyncio.gather(forgotten(), sleeps())


async def one_future_is_held() -> None:
    kept = future()
    HOLD.append(kept)
    await asyncio.gather(forgotten(), kept)


async def gather_is_held() -> None:
    kept = asyncio.gather(forgotten(), forgotten())
    HOLD.append(kept)
    await kept


async def shielded_and_held() -> None:
    kept = future()
    HOLD.append(kept)
    await asyncio.shield(kept)


async def with_timeout() -> None:
    await asyncio.wait([start(forgotten())], timeout=3600)


async def child_with_timeout() -> None:
    async def bounded() -> None:
        await asyncio.wait_for(forgotten(), 3600)

    await start(bounded())


async def held() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(future)
    await future


async def held_by_method() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(future.set_result)
    await future


async def held_weakly() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(weakref.ref(future))
    await future


async def held_in_cell() -> None:
    future = asyncio.get_running_loop().create_future()
    HOLD.append(lambda: future.set_result(None))
    await future


async def held_by_another_frame(name) -> None:
    future = asyncio.get_running_loop().create_future()

    async def ends_it(waits) -> None:
        await asyncio.sleep(3600)
        waits.set_result(None)

    HOLD.append(asyncio.get_running_loop().create_task(ends_it(future)))
    await future


async def sleeps() -> None:
    await asyncio.sleep(3600)


async def waits_for_event() -> None:
    event = asyncio.Event()
    HOLD.append(event)
    await event.wait()


async def yields():
    yield 1
    yield 2


async def iterates() -> None:
    async for _ in yields():
        await asyncio.sleep(3600)


async def within_manager() -> None:
    async with contextlib.AsyncExitStack() as stack, contextlib.asynccontextmanager(yields)():
        await stack.enter_async_context(contextlib.asynccontextmanager(yields)())
        await asyncio.sleep(3600)


async def left_in_the_middle():
    yield 1
    yield 2


async def stuck_in_an_await():
    await inner_step(future())
    yield 1


async def never_iterated():
    yield 1


async def never_begun() -> None:
    pass


async def inner_step(future) -> None:
    await future


async def driven_by_hand() -> None:
    await inner_step(asyncio.get_running_loop().create_future())


async def main() -> None:
    loop = asyncio.get_running_loop()
    tasks = {}
    for function in (forgotten, forgotten_with_a_local, forgotten_deep, held, held_by_method, held_weakly):
        tasks[function.__name__] = loop.create_task(function())
    for function in (iterates, within_manager, held_in_cell, sleeps, waits_for_event):
        tasks[function.__name__] = loop.create_task(function())
    composed = (waits_for_task, waits_for_task_of_tasks, waits_for_gather, waits_for_futures, waits_for_shield)
    composed += (waits_for_shielded_future, waits_for_all, one_child_ends, one_future_is_held, gather_is_held)
    composed += (shielded_and_held, with_timeout, child_with_timeout, forgotten_python_future, forgotten_own_class)
    composed += (waits_for_group,) if hasattr(asyncio, "TaskGroup") else ()
    for function in composed:
        tasks[function.__name__] = loop.create_task(function())
    tasks["held_by_another_frame"] = loop.create_task(held_by_another_frame("name"))
    unlisted = loop.create_task(sleeps())
    for _ in range(10):
        await asyncio.sleep(0)
    asyncio.tasks._unregister_task(unlisted)
    HOLD.extend([never_begun() for _ in range(3)])
    by_hand = driven_by_hand()
    by_hand.send(None)
    HOLD.extend((unlisted, by_hand, tasks, never_iterated()))
    generators = {"left": left_in_the_middle(), "stuck": stuck_in_an_await()}
    await generators["left"].__anext__()
    step = generators["stuck"].__anext__()
    step.send(None)
    HOLD.append(step)
    gc.collect()
    HOLD.append(generators)
    names = {name: id(task) for name, task in tasks.items()}
    truth = {"pid": os.getpid(), "tasks": names, "unlisted": id(unlisted), "by_hand": id(by_hand), "objects": 0}
    truth["generators"] = {name: id(generator) for name, generator in generators.items()}
    truth["objects"] = len(gc.get_objects())
    print(json.dumps(truth), flush=True)
    sys.stdin.readline()


asyncio.run(main())
