"""Files of a folder, a zip or a tar, archives within archives included.

Everything is read where it lies: nothing is unpacked to disk, so no name in an
archive can reach outside of it, and links are not followed.
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runbooks.collect.errors import UsageError

#: A dump of many thousands of states is a few tens of MiB.
LARGEST_FILE = 512 * 1024 * 1024
#: A sysdump holds one archive per agent where it could not unpack them.
DEEPEST_NESTING = 2
_TAR_ENDS = (".tar", ".tar.gz", ".tgz")

#: Tells by its path whether a file is worth reading.
Wanted = Callable[[PurePosixPath], bool]


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


def wanted_files(path: Path, wanted: Wanted) -> Iterator[ArchivedFile]:
    """Read the wanted files of a folder or an archive.

    Args:
        path: A folder, a zip, or a tar (also compressed).
        wanted: Which files to read.

    Yields:
        The files.

    Raises:
        UsageError: There is nothing at the path, or it is no archive.
    """
    if path.is_dir():
        yield from _in_folder(path, wanted)
        return
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.")
    try:
        yield from _in_archive(path.read_bytes(), PurePosixPath(), wanted, 0)
    except _BROKEN as error:
        raise UsageError(f"{path} can't be read as an archive: {error}.") from None
    except PermissionError:
        raise UsageError(f"{path} can't be read: permission denied.") from None


_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, ValueError)


def _in_folder(top: Path, wanted: Wanted) -> Iterator[ArchivedFile]:
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            path = PurePosixPath(file.relative_to(top).as_posix())
            if file.is_symlink() or not file.is_file():
                continue
            if wanted(path):
                try:
                    yield ArchivedFile(path, file.read_bytes())
                except PermissionError:
                    raise UsageError(
                        f"{file} can't be read: permission denied."
                    ) from None
            elif name.endswith((*_TAR_ENDS, ".zip")):
                try:
                    yield from _in_archive(file.read_bytes(), path, wanted, 1)
                except _BROKEN:
                    continue  # its node shows up as unread


def _in_archive(
    content: bytes, path: PurePosixPath, wanted: Wanted, depth: int
) -> Iterator[ArchivedFile]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        yield from _in_zip(content, path, wanted, depth)
    else:
        yield from _in_tar(content, path, wanted, depth)


def _in_zip(
    content: bytes, top: PurePosixPath, wanted: Wanted, depth: int
) -> Iterator[ArchivedFile]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            path = top / _inside(info.filename)
            if info.is_dir() or info.file_size > LARGEST_FILE:
                continue
            if wanted(path):
                yield ArchivedFile(path, archive.read(info))
            elif _nested(path) and depth < DEEPEST_NESTING:
                yield from _nested_files(archive.read(info), path, wanted, depth)


def _in_tar(
    content: bytes, top: PurePosixPath, wanted: Wanted, depth: int
) -> Iterator[ArchivedFile]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            path = top / _inside(member.name)
            if not member.isreg() or member.size > LARGEST_FILE:
                continue
            if wanted(path):
                yield ArchivedFile(path, _member(archive, member), float(member.mtime))
            elif _nested(path) and depth < DEEPEST_NESTING:
                yield from _nested_files(_member(archive, member), path, wanted, depth)


def _nested_files(
    content: bytes, path: PurePosixPath, wanted: Wanted, depth: int
) -> Iterator[ArchivedFile]:
    try:
        yield from _in_archive(content, path, wanted, depth + 1)
    except _BROKEN:
        return  # its node shows up as unread


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def _nested(path: PurePosixPath) -> bool:
    return path.name.endswith(_TAR_ENDS)


def _inside(name: str) -> PurePosixPath:
    """A name in an archive as a path that only serves as a label."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return PurePosixPath(*(p for p in parts if p not in {"/", "..", "."}))
