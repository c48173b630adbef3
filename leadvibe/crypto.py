"""Secrets at rest: what the server must be able to read again (tokens, passwords, signing keys) is sealed.

Sealed is Fernet: AES-128-CBC with an HMAC-SHA256, so that a changed value is noticed. The database alone
opens nothing: the keys are in the setting LEADVIBE_SECRET_KEYS, else in a file of the data directory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from leadvibe.config import Settings

KEY_FILE = "secret.key"


class SealError(Exception):
    """A value was sealed with a key that this process does not have, or it was changed since."""

    def __init__(self) -> None:
        super().__init__("A stored secret does not open with the keys of LEADVIBE_SECRET_KEYS or the data directory.")


class Vault:
    """Seals with the first key, opens with any.

    `keys` are Fernet keys (32 bytes in URL-safe base64), newest first. The key in `file`, if that exists, opens
    too; without `keys` it is made when first needed, and shared by all processes of the data directory.
    """

    def __init__(self, keys: Sequence[str] = (), file: Path | None = None) -> None:
        for key in keys:
            _check(key, "LEADVIBE_SECRET_KEYS")
        self._keys = keys
        self._file = file

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Raises ValueError for a key that is none."""
        keys = [key.strip() for key in (settings.secret_keys or "").split(",")]
        return cls([key for key in keys if key], settings.data_dir / KEY_FILE)

    def seal(self, text: str) -> str:
        """The same text is sealed differently each time; ASCII, some 100 characters more than the text."""
        return self._fernets.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises SealError."""
        try:
            return self._fernets.decrypt(sealed).decode()
        except InvalidToken:
            raise SealError from None

    def reseal(self, sealed: str) -> str:
        """The same secret under the newest key. Raises SealError."""
        try:
            return self._fernets.rotate(sealed).decode()
        except InvalidToken:
            raise SealError from None

    @cached_property
    def _fernets(self) -> MultiFernet:
        keys = list(self._keys)
        if self._file is not None and (self._file.exists() or not keys):
            keys.append(_kept_key(self._file))
        if not keys:
            raise ValueError("A vault needs a key.")
        return MultiFernet([Fernet(key) for key in keys])


def _kept_key(file: Path) -> str:
    """The file's key. It is written whole under another name, and the first of several processes to give it
    its own name wins."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=file.parent)  # readable by its owner only
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(Fernet.generate_key())
            stream.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, file)
        os.unlink(draft)
    key = file.read_text().strip()
    _check(key, str(file))
    return key


def _check(key: str, source: str) -> None:
    try:
        Fernet(key)
    except ValueError:
        raise ValueError(
            f"A key of {source} is no Fernet key: 32 bytes in URL-safe base64, as "
            "`openssl rand -base64 32 | tr +/ -_` prints one."
        ) from None
