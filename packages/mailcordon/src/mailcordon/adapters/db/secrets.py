"""Encryption of secrets that must be read back, with MAILCORDON_SECRET_KEYS: the first key encrypts, all keys decrypt.

To change a key, put a new one first, restart, and remove the old one when every secret was rewritten.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mailcordon.core.errors import Refused
from mailcordon.messages import system


class SecretsUnreadable(Refused):
    """A secret in the database was encrypted with none of the keys we have."""

    code = "secrets-unreadable"


def make_secret_key() -> str:
    """A new key for MAILCORDON_SECRET_KEYS: 32 random bytes in URL-safe base64."""
    return Fernet.generate_key().decode()


class Vault:
    """Encrypts and decrypts. The constructor raises Refused for a value that is not a key."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise Refused(system.no_secret_keys(), code="no-secret-keys")
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise Refused(system.bad_secret_key(), code="bad-secret-keys") from None
        self._first = fernets[0]
        self._all = MultiFernet(fernets)

    def encrypt(self, secret: bytes) -> bytes:
        return self._all.encrypt(secret)

    def decrypt(self, token: bytes) -> bytes:
        try:
            return self._all.decrypt(token)
        except InvalidToken:
            raise SecretsUnreadable(system.secrets_unreadable()) from None

    def is_current(self, token: bytes) -> bool:
        """Whether the first key encrypted it, so that it does not need the other keys."""
        try:
            self._first.decrypt(token)
        except InvalidToken:
            return False
        return True

    def count(self, tokens: Sequence[bytes]) -> tuple[int, int]:
        """How many of them the first key encrypted, and how many another one did. Raises SecretsUnreadable."""
        for token in tokens:
            self.decrypt(token)
        current = sum(map(self.is_current, tokens))
        return current, len(tokens) - current

    def renewed(self, token: bytes) -> bytes | None:
        """The same secret encrypted by the first key; None if that is so already. Raises SecretsUnreadable."""
        return None if self.is_current(token) else self.encrypt(self.decrypt(token))
