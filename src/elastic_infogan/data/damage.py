"""What reading damaged files raises, whatever reads them, and what says nothing about them."""

from __future__ import annotations

import errno
import lzma
import struct
import zipfile
import zlib

__all__ = ["DAMAGED", "PASSING"]

DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError,
)  # fmt: skip
"""what reading a damaged or unusual zip, or an entry of it, raises"""

PASSING = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
    | {getattr(errno, name) for name in ("ESTALE", "ETIMEDOUT", "EHOSTDOWN") if hasattr(errno, name)}
)
"""errors of the moment, of a machine or a network: a file that meets one may be sound"""
