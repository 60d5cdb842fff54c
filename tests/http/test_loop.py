"""The library's own loop: reachable from everywhere, the same for everyone."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from clio_nb.http import loop, sync_and_async


async def loop_id():
    return id(asyncio.get_running_loop())


twin = sync_and_async.sync_function(loop_id)


@sync_and_async.on_loop
async def there():
    return await loop_id()


def test_a_sync_verb_an_async_verb_and_a_submitted_one_share_one_loop():
    assert twin() == asyncio.run(there()) == loop.submit(loop_id).result(60)


def test_an_async_verb_works_from_any_loop_one_after_another():
    assert asyncio.run(there()) == asyncio.run(there())


def test_a_sync_verb_works_inside_a_running_loop_as_in_a_notebook_cell():
    async def cell():
        return twin()

    assert asyncio.run(cell()) == twin()


def test_a_sync_verb_on_the_librarys_own_loop_fails_instead_of_hanging():
    async def inside():
        return twin()

    with pytest.raises(RuntimeError, match="await its async twin"):
        loop.run(inside)


def test_errors_come_out_as_they_are():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        loop.run(fail)


def test_cancelling_what_was_submitted_cancels_the_work():
    begun, cancelled = threading.Event(), threading.Event()

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    future = loop.submit(work)
    assert begun.wait(60)
    future.cancel()
    assert cancelled.wait(60)


def test_a_twin_keeps_name_and_documentation():
    async def verb():
        """Do it."""

    assert (sync_and_async.sync_function(verb).__name__, sync_and_async.sync_function(verb).__doc__) == (
        "verb",
        "Do it.",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own():
    twin()
    child = os.fork()
    if child == 0:
        os._exit(0 if isinstance(twin(), int) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_that_has_used_threads_ends_without_starting_one():
    """Python 3.12 refuses to start a thread at exit; here every version does."""
    program = """
import asyncio, atexit, threading
from clio_nb.http import loop

async def work():
    return await asyncio.to_thread(lambda: 5)

def refuse(thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")

print(loop.run(work))
atexit.register(lambda: setattr(threading.Thread, "start", refuse))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")
