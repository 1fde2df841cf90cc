"""Secrets that nobody can guess."""

from __future__ import annotations

import secrets


def new_secret() -> str:
    """43 characters of the URL alphabet out of 32 random bytes."""
    return secrets.token_urlsafe(32)
