"""Files of a folder, a zip or a tar, archives within archives included.

Everything is read where it lies: nothing is unpacked to disk, so no name in an
archive can reach outside of it, and links and devices are passed over. What makes an
archive larger than any cluster's is refused.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from runbooks.collect.errors import UsageError
from runbooks.collect.unpacking import Allowance, ArchiveError, Unpacked

#: A dump of forty thousand states is 44 MiB.
LARGEST_FILE = 256 * 1024 * 1024
#: All that is read of an archive; it is held in memory.
LARGEST_TOTAL = 8 * 1024 * 1024 * 1024
#: A sysdump of a thousand nodes has some 200,000.
MOST_FILES = 4_000_000
#: A sysdump holds one archive per agent where it could not unpack them.
DEEPEST_NESTING = 2
_TAR_ENDS = (".tar", ".tar.gz", ".tgz")
_TAR_MAGIC = slice(257, 262)
_ENCRYPTED = 0x1
_UNIX = 3

#: Tells by its path whether a file is worth reading.
Wanted = Callable[[PurePosixPath], bool]

#: What the standard library raises for what isn't an archive, or not a whole one.
_BROKEN = (
    ArchiveError,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One file.

    Attributes:
        path: Where it lies, from the top of the outermost archive.
        content: Its bytes.
        modified_s: Its time where the archive keeps the node's own, seconds
            since 1970; a tar does, a zip or a folder doesn't.
    """

    path: PurePosixPath
    content: bytes = field(repr=False)
    modified_s: float | None = None


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file, or an archive within the archive, that can't be read.

    Attributes:
        path: Where it lies, from the top of the outermost archive.
        problem: Why, in a few words.
    """

    path: PurePosixPath
    problem: str


def wanted_files(
    path: Path, wanted: Wanted, unread: list[UnreadFile]
) -> Iterator[ArchivedFile]:
    """Read the wanted files of a folder or an archive.

    Args:
        path: A folder, a zip, or a tar (also compressed).
        wanted: Which files to read.
        unread: Takes each file or inner archive that can't be read.

    Yields:
        The files.

    Raises:
        UsageError: There is nothing at the path, or it is no whole archive.
    """
    reading = _Reading(wanted, unread)
    if path.is_dir():
        yield from reading.folder(path)
        return
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    if not path.is_file():
        raise UsageError(f"{path} is neither a file nor a folder.")
    try:
        yield from reading.archive(path, PurePosixPath())
    except PermissionError:
        raise UsageError(f"{path} can't be read: permission denied.") from None
    except _BROKEN as error:
        raise UsageError(f"{path} can't be read as an archive: {error}.") from None


class _Reading:
    """One reading of an archive, with what it comes to altogether."""

    def __init__(self, wanted: Wanted, unread: list[UnreadFile]) -> None:
        self._wanted = wanted
        self._unread = unread
        self._files = 0
        self._bytes = 0

    def folder(self, top: Path) -> Iterator[ArchivedFile]:
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                file = Path(folder) / name
                path = _inside(file.relative_to(top).as_posix())
                if file.is_symlink() or not file.is_file():
                    continue
                if self._wanted(path):
                    yield from self._one(path, file.stat().st_size, file.read_bytes)
                elif name.endswith((*_TAR_ENDS, ".zip")):
                    try:
                        yield from self.archive(file, path)
                    except _BROKEN as error:
                        self._note(path, error)

    def archive(self, file: Path, path: PurePosixPath) -> Iterator[ArchivedFile]:
        allowance = Allowance(str(file), file.stat().st_size)
        with file.open("rb") as stream:
            head = stream.read(tarfile.BLOCKSIZE)
            # A tar may end with a zip in it, and then looks like one from behind.
            if head[_TAR_MAGIC] != b"ustar" and zipfile.is_zipfile(stream):
                yield from self._zip(stream, path, allowance)
            elif head.startswith(b"PK\x03\x04"):
                raise ArchiveError("it begins as a zip does, and is cut off")
            else:
                stream.seek(0)
                yield from self._tar(Unpacked(stream, allowance), path, allowance)

    def _zip(
        self, stream: IO[bytes], top: PurePosixPath, allowance: Allowance
    ) -> Iterator[ArchivedFile]:
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                path = top / _inside(info.filename)
                if info.is_dir() or _is_special(info):
                    continue
                self._count_file()
                opened = partial(_opened, archive, info)
                if self._wanted(path):
                    allowance.take(info.file_size)
                    yield from self._one(path, info.file_size, partial(_read, opened))
                elif path.name.endswith(_TAR_ENDS):
                    yield from self._nested(opened, path, allowance, depth=1)

    def _tar(
        self,
        content: Unpacked,
        top: PurePosixPath,
        allowance: Allowance,
        depth: int = 0,
    ) -> Iterator[ArchivedFile]:
        with tarfile.open(fileobj=cast("IO[bytes]", content), mode="r:") as archive:
            for member in archive:
                # Or the archive would remember them all.
                archive.members = []  # type: ignore[attr-defined]
                path = top / _inside(member.name)
                if not member.isreg() or member.issparse():
                    continue
                self._count_file()
                opened = partial(_member, archive, member)
                if self._wanted(path):
                    yield from self._one(
                        path, member.size, partial(_read, opened), member.mtime
                    )
                elif path.name.endswith(_TAR_ENDS) and depth < DEEPEST_NESTING:
                    yield from self._nested(opened, path, allowance, depth + 1)
        # What is no header ends the loop as well as the empty one does.
        content.require_end()

    def _nested(
        self,
        opened: Callable[[], IO[bytes]],
        path: PurePosixPath,
        allowance: Allowance,
        depth: int,
    ) -> Iterator[ArchivedFile]:
        try:
            with opened() as stream:
                content = Unpacked(stream, allowance)
                yield from self._tar(content, path, allowance, depth)
        except _BROKEN as error:
            self._note(path, error)

    def _one(
        self,
        path: PurePosixPath,
        size: int,
        read: Callable[[], bytes],
        modified_s: float | None = None,
    ) -> Iterator[ArchivedFile]:
        self._bytes += size
        if self._bytes > LARGEST_TOTAL:
            raise UsageError(
                f"The dumps come to more than {LARGEST_TOTAL:,} bytes; give the"
                " archives of fewer nodes."
            )
        try:
            if size > LARGEST_FILE:
                raise ArchiveError(f"it has {size:,} bytes, more than any dump")
            content = read()
        except _BROKEN as error:
            self._note(path, error)
            return
        yield ArchivedFile(path, content, modified_s)

    def _note(self, path: PurePosixPath, error: Exception) -> None:
        denied = isinstance(error, PermissionError)
        problem = "permission denied" if denied else str(error)
        self._unread.append(UnreadFile(path, problem))

    def _count_file(self) -> None:
        self._files += 1
        if self._files > MOST_FILES:
            raise UsageError(f"The archive holds more than {MOST_FILES:,} files.")


def _read(opened: Callable[[], IO[bytes]]) -> bytes:
    with opened() as stream:
        return stream.read()


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError("it is encrypted; unpack it with its password")
    return archive.open(info)


def _is_special(info: zipfile.ZipInfo) -> bool:
    """A link or a device: its content is not a file's."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    return info.create_system == _UNIX and kind not in (0, stat.S_IFREG)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise ArchiveError("it is no file")
    return stream


def _inside(name: str) -> PurePosixPath:
    """A name in an archive as a path that only serves as a label."""
    # Neither half a character nor an escape sequence may reach a terminal.
    plain = name.encode(errors="surrogateescape").decode(errors="replace")
    printable = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain
    )
    parts = PurePosixPath(printable.replace("\\", "/")).parts
    return PurePosixPath(*(p for p in parts if p not in {"/", "//", "..", "."}))
