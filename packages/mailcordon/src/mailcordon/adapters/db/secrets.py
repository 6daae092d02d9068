"""Secrets that must be read back, encrypted under MAILCORDON_SECRET_KEYS: the first key encrypts, all of them decrypt.

So a key is changed by putting a new one in front, restarting, and dropping the old one once everything was written anew.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mailcordon.core.errors import Refused


class SecretsUnreadable(Refused):
    """A secret in the database was encrypted under none of the keys we were given."""

    code = "secrets-unreadable"


def make_secret_key() -> str:
    """A new key for MAILCORDON_SECRET_KEYS: 32 random bytes in URL-safe base 64."""
    return Fernet.generate_key().decode()


class Vault:
    """Encrypts and decrypts. Raises Refused when a key given is no key."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise Refused(
                "MAILCORDON_SECRET_KEYS is empty: it needs at least one key.", code="no-secret-keys"
            )
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise Refused(
                "MAILCORDON_SECRET_KEYS holds something that is no key: each is 32 bytes in URL-safe base 64.",
                code="bad-secret-keys",
            ) from None
        self._first = fernets[0]
        self._all = MultiFernet(fernets)

    def encrypt(self, secret: bytes) -> bytes:
        return self._all.encrypt(secret)

    def decrypt(self, token: bytes) -> bytes:
        try:
            return self._all.decrypt(token)
        except InvalidToken:
            raise SecretsUnreadable(
                "The database's secrets were encrypted under another key: start with the MAILCORDON_SECRET_KEYS that wrote them."
            ) from None

    def is_current(self, token: bytes) -> bool:
        """Whether the first key wrote it, so that the others are not needed for it any more."""
        try:
            self._first.decrypt(token)
        except InvalidToken:
            return False
        return True
