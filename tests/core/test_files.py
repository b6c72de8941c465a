"""Files: whole or not at all, for their owner only, one holder of a lock, and nothing left of what is destroyed."""

import errno
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.core.errors import FileError, FileLocked, SecretError
from appliance.core.files import (
    create_private,
    locked,
    make_folder,
    overwrite_and_remove,
    read_secret,
    sync_folder,
    write_private,
)

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


class TestWriting:
    @pytest.mark.parametrize("content", [b"", b"x", bytearray(b"y" * 3_000_000), memoryview(b"z" * 10)])
    def test_a_file_holds_what_was_written_and_is_its_owners(self, tmp_path: Path, content: Any) -> None:
        path = tmp_path / "state.json"
        path.write_bytes(b"old")
        path.chmod(0o644)
        write_private(path, content)
        assert path.read_bytes() == bytes(content)
        assert mode_of(path) == 0o600
        assert names(tmp_path) == ["state.json"]

    def test_what_is_to_be_read_by_others_may_be(self, tmp_path: Path) -> None:
        os.umask(0o077)
        write_private(tmp_path / "report.html", b"x", mode=0o644)
        assert mode_of(tmp_path / "report.html") == 0o644

    @pytest.mark.parametrize("call", ["write", "fsync", "fchmod"])
    @pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
    def test_a_full_disk_or_an_interruption_leaves_the_old_file_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
    ) -> None:
        path = tmp_path / "state.json"
        write_private(path, b"old")

        def fail(*_: Any) -> None:
            raise failure

        monkeypatch.setattr(os, call, fail)
        with pytest.raises(FileError if isinstance(failure, OSError) else KeyboardInterrupt) as told:
            write_private(path, b"new")
        monkeypatch.undo()
        if isinstance(told.value, FileError):
            assert told.value.problem == f"{path} cannot be written: No space left on device."
            assert told.value.cause.errno == errno.ENOSPC
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["state.json"]

    def test_file_and_folder_are_on_the_disk_before_it_returns(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[tuple[int, bool]] = []
        real = os.fsync

        def note(handle: int) -> None:
            synced.append((os.fstat(handle).st_ino, (tmp_path / "a").exists()))
            real(handle)

        monkeypatch.setattr(os, "fsync", note)
        write_private(tmp_path / "a", b"x")
        inode = (tmp_path / "a").stat().st_ino
        assert synced == [(inode, False), (tmp_path.stat().st_ino, True)], "the content, then the name"

    def test_a_link_is_replaced_and_not_written_through(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_bytes(b"keep")
        (tmp_path / "link").symlink_to(tmp_path / "precious")
        write_private(tmp_path / "link", b"new")
        assert (tmp_path / "precious").read_bytes() == b"keep"
        assert not (tmp_path / "link").is_symlink()

    def test_a_missing_folder_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=r"nowhere/a cannot be written: No such file or directory\."):
            write_private(tmp_path / "nowhere" / "a", b"x")
        with pytest.raises(FileError, match="No such file"):
            sync_folder(tmp_path / "nowhere")


class TestCreating:
    def test_a_new_file_is_its_owners_from_the_first_moment(self, tmp_path: Path) -> None:
        create_private(tmp_path / "key", b"secret")
        assert (tmp_path / "key").read_bytes() == b"secret"
        assert mode_of(tmp_path / "key") == 0o600
        create_private(tmp_path / "key.pub", b"public", mode=0o644)
        assert mode_of(tmp_path / "key.pub") == 0o644

    def test_a_key_is_never_overwritten_nor_written_through_a_link(self, tmp_path: Path) -> None:
        create_private(tmp_path / "key", b"first")
        (tmp_path / "link").symlink_to(tmp_path / "target")
        for name in ("key", "link"):
            with pytest.raises(FileError, match="never overwritten"):
                create_private(tmp_path / name, b"second")
        assert (tmp_path / "key").read_bytes() == b"first"
        assert not (tmp_path / "target").exists()

    def test_of_a_key_that_could_not_be_written_whole_nothing_is_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(FileError, match="No space left"):
            create_private(tmp_path / "key", b"secret")
        assert names(tmp_path) == []

    def test_a_folder_is_made_with_those_above_it_and_kept_where_it_is(self, tmp_path: Path) -> None:
        make_folder(tmp_path / "a" / "b")
        assert mode_of(tmp_path / "a" / "b") == 0o700
        (tmp_path / "a" / "b" / "kept").touch()
        make_folder(tmp_path / "a" / "b", mode=0o755)
        assert names(tmp_path / "a" / "b") == ["kept"]
        (tmp_path / "file").touch()
        with pytest.raises(FileError, match="cannot be made"):
            make_folder(tmp_path / "file")


class TestDestroying:
    @pytest.mark.parametrize("size", [0, 1, (1 << 20) + 7])
    def test_the_bytes_are_overwritten_in_place_and_the_name_is_gone(self, tmp_path: Path, size: int) -> None:
        path, other = tmp_path / "key", tmp_path / "hard link"
        path.write_bytes(b"s" * size)
        other.hardlink_to(path)
        assert overwrite_and_remove(path)
        assert not path.exists()
        left = other.read_bytes()
        assert len(left) == size
        assert left.count(b"s") < max(size / 2, 1) or size == 1

    def test_where_there_is_nothing_nothing_happens(self, tmp_path: Path) -> None:
        assert not overwrite_and_remove(tmp_path / "nothing")

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_bytes(b"keep")
        (tmp_path / "link").symlink_to(tmp_path / "precious")
        with pytest.raises(FileError, match="cannot be destroyed"):
            overwrite_and_remove(tmp_path / "link")
        assert (tmp_path / "precious").read_bytes() == b"keep"

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileError, match="cannot be destroyed"):
            overwrite_and_remove(tmp_path / "pipe")

    def test_what_cannot_be_overwritten_is_not_removed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "key").write_bytes(b"secret")

        def broken(_: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(FileError, match="Input/output error"):
            overwrite_and_remove(tmp_path / "key")
        assert (tmp_path / "key").exists()


def hold(path: Path, ready: Any, **how: Any) -> None:
    with locked(path, **how):
        ready.send("held")
        ready.recv()


class TestLocking:
    @pytest.fixture
    def holder(self, tmp_path: Path) -> Iterator[Callable[..., Any]]:
        """Holds `lock` in another process; the end of the pipe lets go."""
        processes = []

        def start(**how: Any) -> Any:
            mine, theirs = FORK.Pipe()
            process = FORK.Process(target=hold, args=(tmp_path / "lock", theirs), kwargs=how)
            process.start()
            theirs.close()
            processes.append((process, mine))
            assert mine.recv() == "held"
            return process, mine

        yield start
        for process, mine in processes:
            process.kill()
            process.join()
            mine.close()

    def test_a_lock_is_made_for_its_owner_only_and_free_again(self, tmp_path: Path) -> None:
        for _ in range(2):
            with locked(tmp_path / "lock", wait_s=0) as handle:
                assert os.write(handle, b"12") == 2, "what it yields can be written to"
        assert mode_of(tmp_path / "lock") == 0o600

    def test_another_holder_is_told_apart_from_a_file_that_cannot_be_opened(
        self, tmp_path: Path, holder: Callable[..., Any]
    ) -> None:
        holder()
        with pytest.raises(FileLocked, match="cannot be locked"), locked(tmp_path / "lock", wait_s=0):
            pass
        with pytest.raises(FileError) as told, locked(tmp_path / "missing", wait_s=0, create=False):
            pass
        assert not isinstance(told.value, FileLocked)
        assert isinstance(told.value.cause, FileNotFoundError)
        assert not (tmp_path / "missing").exists()

    def test_the_kernel_lets_go_of_the_lock_of_a_process_that_was_killed(
        self, tmp_path: Path, holder: Callable[..., Any]
    ) -> None:
        process, _ = holder()
        process.kill()
        process.join()
        with locked(tmp_path / "lock", wait_s=0):
            pass

    @pytest.mark.parametrize("wait_s", [30.0, float("inf")])
    def test_a_holder_is_waited_for(self, tmp_path: Path, holder: Callable[..., Any], wait_s: float) -> None:
        _, mine = holder()
        got = threading.Event()

        def wait() -> None:
            with locked(tmp_path / "lock", wait_s=wait_s):
                got.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not got.wait(0.2)
        mine.send("let go")
        assert got.wait(20)
        thread.join()

    def test_a_holder_is_waited_for_no_longer_than_asked(self, tmp_path: Path, holder: Callable[..., Any]) -> None:
        holder()
        began = time.monotonic()
        with pytest.raises(FileLocked), locked(tmp_path / "lock", wait_s=0.3):
            pass
        assert time.monotonic() - began >= 0.3

    def test_readers_share_and_a_writer_does_not(self, tmp_path: Path, holder: Callable[..., Any]) -> None:
        holder(shared=True)
        with locked(tmp_path / "lock", shared=True, wait_s=0):
            pass
        with pytest.raises(FileLocked), locked(tmp_path / "lock", wait_s=0):
            pass

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "target")
        with pytest.raises(FileError), locked(tmp_path / "link"):
            pass
        assert not (tmp_path / "target").exists()


class TestSecrets:
    def test_a_secret_is_read_into_a_buffer_that_can_be_overwritten(self, tmp_path: Path) -> None:
        create_private(tmp_path / "key", b"secret")
        content = read_secret(tmp_path / "key", "a key")
        assert content == b"secret"
        content[:] = bytes(len(content))

    @pytest.mark.parametrize(
        ("make", "why"),
        [
            (lambda path: None, "does not exist; it should be a key"),
            (lambda path: path.mkdir(), "is not a key"),
            (os.mkfifo, "is not a key"),
            (lambda path: create_private(path, b"x" * 10_001), "is not a key"),
            (lambda path: create_private(path, b"x", mode=0o640), "may be read by others"),
        ],
        ids=["missing", "folder", "pipe", "too large", "open to the group"],
    )
    def test_what_is_no_secret_is_refused(self, tmp_path: Path, make: Callable[[Path], Any], why: str) -> None:
        make(tmp_path / "key")
        with pytest.raises(SecretError, match=why):
            read_secret(tmp_path / "key", "a key")
