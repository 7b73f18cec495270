"""One writer at a time, and a dead one stands in nobody's way."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import time

import pytest
from lake_disks import Refusing, first_run, put

from backbook.errors import BadData, NotAllowed
from backbook.lake import Disk, Lake

HOLD = """
import sys, time
from backbook.lake import Lake
with Lake(sys.argv[1]).lock("run 2026-10-31") as writer:
    print("held", flush=True)
    time.sleep(60)
"""


FORK = """
import os, sys, time
from backbook.lake import Lake
with Lake(sys.argv[1]).lock("a writer with a child") as writer:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lake")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_writer_is_refused_at_once_and_told_by_whom(tmp_path, holder):
    begun = time.monotonic()
    with (
        pytest.raises(NotAllowed, match=rf"process {holder.pid} \(run 2026-10-31\) since \d{{4}}-\d\d-\d\d \d\d:"),
        Lake(tmp_path / "lake").lock("another"),
    ):
        pass
    assert time.monotonic() - begun < 1
    assert Lake(tmp_path / "lake").head().number == 0, "who reads needs no lock"


def test_the_lock_dies_with_its_process(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert b"2026-10-31" in (tmp_path / "lake" / "lock").read_bytes(), "the text is stale"
    first_run(Lake(tmp_path / "lake"), Disk())


def test_a_lock_file_with_any_text_is_no_obstacle(tmp_path):
    (tmp_path / "lake").mkdir()
    for text in (b"", b"\xff\x00nonsense", b'{"pid": 1}', b"[" * 5000):
        (tmp_path / "lake" / "lock").write_bytes(text)
        with Lake(tmp_path / "lake").lock("a test"):
            pass


def test_a_child_that_outlives_the_writer_does_not_keep_the_lock(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", FORK, str(tmp_path / "lake")], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        with Lake(tmp_path / "lake").lock("after the writer died"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_within_one_process_too_there_is_one_writer(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("outer"):
        with pytest.raises(NotAllowed, match=rf"process {os.getpid()} \(outer\)"), lake.lock("inner"):
            pass
        with pytest.raises(NotAllowed, match="outer"):
            lake.prune()
    with lake.lock("after"):
        pass


def test_an_error_in_between_gives_the_lock_back(tmp_path):
    lake = Lake(tmp_path / "lake")
    with pytest.raises(ZeroDivisionError), lake.lock("a test"):
        raise ZeroDivisionError
    with lake.lock("after"):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    for at, number in ((0, errno.EACCES), (1, errno.EROFS)):
        with (
            pytest.raises(NotAllowed, match=r"cannot be written.*Give this user the right"),
            Lake(tmp_path / str(at) / "lake", disk=Refusing(at, number)).lock("a test"),
        ):
            pass


def test_two_publishers_at_once_end_in_whole_versions(tmp_path):
    """Four processes, each trying until it has published five times: twenty versions, each of one writer."""
    children = [os.fork() or publish_five_times(tmp_path, number) for number in range(4)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    lake = Lake(tmp_path / "lake")
    assert lake.heads() == list(range(1, 21))
    for number in lake.heads():
        head = lake.head(number)
        assert [len(head.files(table)) for table in ("account", "card")] == [number, number]
    assert lake.verify() == []


def publish_five_times(tmp_path, number) -> int:
    gc.disable()  # what earlier tests left behind may belong to threads that no child has: it must not be tidied up here
    lake, done = Lake(tmp_path / "lake"), 0
    try:
        while done < 5:
            try:
                with lake.lock(f"writer {number}") as writer:
                    for table in ("account", "card"):
                        writer.append(table, "all", *put(writer, Disk(), table, number))
                    writer.publish({"writer": number})
                    done += 1
            except NotAllowed:
                time.sleep(0.002)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_writer_that_does_not_hold_the_lock_is_noticed(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a test") as writer:
        writer.append("account", "all", *put(writer, Disk(), "account", 1))
        stranger = Lake(tmp_path / "other")
        first_run(stranger, Disk())
        (lake.path / "HEAD").write_bytes((stranger.path / "HEAD").read_bytes())
        with pytest.raises((NotAllowed, BadData)):
            writer.publish({})
