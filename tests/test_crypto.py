"""Secrets at rest: sealing, opening, rotation, and the key that the server makes for itself."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from leadvibe.config import Settings
from leadvibe.crypto import SealError, Vault

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS)
def test_what_is_sealed_opens_again(text: str) -> None:
    sealed = Vault([NEW]).seal(text)
    assert sealed.isascii() and Vault([NEW]).open(sealed) == text


@given(TEXTS.filter(lambda text: len(text) > 4))
def test_what_is_sealed_shows_nothing_and_is_never_the_same(text: str) -> None:
    sealed = Vault([NEW]).seal(text)
    assert text not in sealed and sealed != Vault([NEW]).seal(text)


@given(TEXTS)
def test_an_old_key_opens_and_the_newest_seals(text: str) -> None:
    sealed = Vault([OLD]).seal(text)
    both = Vault([NEW, OLD])
    assert both.open(sealed) == text
    assert Vault([NEW]).open(both.seal(text)) == text
    assert Vault([NEW]).open(both.reseal(sealed)) == text
    for use in (Vault([NEW]).open, Vault([NEW]).reseal):
        with pytest.raises(SealError):
            use(sealed)


@given(TEXTS, st.data())
def test_a_changed_value_does_not_open(text: str, data: st.DataObject) -> None:
    sealed = Vault([NEW]).seal(text)
    place = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.sampled_from("ABCDabcd0123-_").filter(lambda letter: letter != sealed[place]))
    changed = sealed[:place] + letter + sealed[place + 1 :]
    with suppress(SealError):
        assert Vault([NEW]).open(changed) == text, "only bits that base64 does not use may differ"


def settings(folder: Path, keys: str | None = None) -> Settings:
    return Settings(data_dir=folder, secret_keys=keys)


def test_without_a_setting_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    vaults = [Vault.from_settings(settings(folder)) for _ in range(8)]
    assert not folder.exists(), "nothing is made before it is needed"
    with ThreadPoolExecutor(8) as threads:
        sealed = list(threads.map(lambda vault: vault.seal("xoxb-1"), vaults))
    assert {Vault.from_settings(settings(folder)).open(each) for each in sealed} == {"xoxb-1"}
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_made_key_still_opens_when_keys_are_set(tmp_path: Path) -> None:
    sealed = Vault.from_settings(settings(tmp_path)).seal("xoxb-1")
    vault = Vault.from_settings(settings(tmp_path, f" {NEW}, {OLD} "))
    assert vault.open(sealed) == "xoxb-1"
    assert Vault([NEW]).open(vault.reseal(sealed)) == "xoxb-1"


def test_with_keys_set_none_is_made(tmp_path: Path) -> None:
    Vault.from_settings(settings(tmp_path, OTHER)).seal("xoxb-1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keys", ["short", f"{NEW},x"], ids=["short", "second"])
def test_a_bad_key_is_told_at_once_and_not_shown(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ValueError, match="LEADVIBE_SECRET_KEYS") as raised:
        Vault.from_settings(settings(tmp_path, keys))
    assert NEW not in str(raised.value)
