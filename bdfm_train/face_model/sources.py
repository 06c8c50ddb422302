# SPDX-License-Identifier: MIT
"""The face model's source files: where they come from and that they are the right ones.

``data/sources.tsv`` lists each file with the public repository it was taken from and its SHA-256. The files lie in
``face_model/`` inside the folder that the environment variable ``BDFM_SOURCES`` names; there is no default.

``python -m bdfm_train.face_model.sources`` checks every file, ``--list`` prints the table.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bdfm_infer.errors import BdfmError
from bdfm_train.errors import SourcesError

VARIABLE: Final = "BDFM_SOURCES"
FOLDER: Final = "face_model"
TABLE: Final = Path(__file__).parent / "data" / "sources.tsv"


@dataclass(frozen=True)
class SourceFile:
    """One row of the table."""

    name: str
    """Path below ``face_model/``."""
    repository: str
    """``owner/name`` on GitHub, then, where there is more to say, a commit or a remark."""
    path: str
    """Path inside the repository."""
    change: str
    """What was done to the file (resized, re-encoded); empty where the bytes are the repository's."""
    sha256: str

    @property
    def address(self) -> str:
        """Public address of the original."""
        repository, _, remark = self.repository.partition(" ")
        revision = remark.removeprefix("@") if remark.startswith("@") else "HEAD"
        return f"https://github.com/{repository}/blob/{revision}/{self.path}"


def source_table() -> dict[str, SourceFile]:
    """All source files by name."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: SourceFile(**row) for row in csv.DictReader(stream, delimiter="\t")}


def sources_root() -> Path:
    """The folder that holds ``face_model/`` (and photos, videos, characters), from ``BDFM_SOURCES``.

    Raises:
        SourcesError: the variable is unset or names no folder.
    """
    value = os.environ.get(VARIABLE)
    if not value:
        raise SourcesError(f"set {VARIABLE} to the folder that holds {FOLDER}/; `python -m {_MODULE} --list` prints "
                           "each file's public address and SHA-256")  # fmt: skip
    root = Path(value)
    if not root.is_dir():
        raise SourcesError(f"{VARIABLE}={value} is no folder; it must hold {FOLDER}/")
    return root


class Sources:
    """Verified access to the source files. Each file is hashed the first time it is asked for.

    Args:
        root: folder that holds ``face_model/``; by default the one that ``BDFM_SOURCES`` names.

    Raises:
        SourcesError: no folder named, or it holds no ``face_model/``.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.folder = (root or sources_root()) / FOLDER
        if not self.folder.is_dir():
            raise SourcesError(f"{self.folder} is missing; {VARIABLE} must name the folder that holds {FOLDER}/")
        self.table = source_table()
        self._verified: set[str] = set()

    def path(self, name: str) -> Path:
        """Where the file lies, after its hash was found right.

        Raises:
            SourcesError: not in the table, missing, unreadable, or with other bytes than expected.
        """
        path = self.folder / name
        if name in self._verified:
            return path
        if name not in self.table:
            raise SourcesError(f"{name} is not in {TABLE.name}; add its repository, path and SHA-256 there")
        row = self.table[name]
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise SourcesError(f"cannot read {path} ({error.strerror}); it comes from {row.address}") from error
        if digest != row.sha256:
            raise SourcesError(f"{path} has SHA-256 {digest}, expected {row.sha256}; fetch it again from {row.address}")
        self._verified.add(name)
        return path

    def names(self, pattern: str) -> list[str]:
        """Names in the table that match a shell pattern, sorted."""
        return sorted(fnmatch.filter(self.table, pattern))


_MODULE = "bdfm_train.face_model.sources"


def main(argv: list[str] | None = None) -> int:
    """Check or print the table of sources; the exit status tells whether all is well."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description="Check the face model's source files.")
    parser.add_argument("--list", action="store_true", help="print address and SHA-256 of each file and stop")
    if parser.parse_args(argv).list:
        for row in source_table().values():
            print(f"{row.name}\t{row.address}\t{row.sha256}" + (f"\t({row.change})" if row.change else ""))
        return 0
    failed = 0
    try:
        sources = Sources()
    except SourcesError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for name in sources.table:
        try:
            sources.path(name)
        except BdfmError as error:
            failed += 1
            print(error, file=sys.stderr)
    print(f"{len(sources.table) - failed} of {len(sources.table)} source files are right")
    return SourcesError.exit_code if failed else 0


if __name__ == "__main__":
    sys.exit(main())
