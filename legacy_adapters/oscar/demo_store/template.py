"""A seeded SQLite database, built once per machine and copied for every new store.

Django's migrations of the shop take about ten seconds; a copy takes milliseconds.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
_PACKAGES = ("django", "django-oscar", "django-oscar-api", "django-treebeard", "pycountry")


def default_cache():
    """Where templates are kept: $XDG_CACHE_HOME, else ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "banyan" / "demo-store"


def fingerprint():
    """Hash of all that decides the template's content: data, seed code, package versions."""
    digest = hashlib.sha256()
    sources = ("seed.py", "fixtures.py", "settings.py", "database.py")
    for path in [*(HERE / name for name in sources), *sorted((HERE / "data").iterdir())]:
        digest.update(f"{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for package in _PACKAGES:
        digest.update(f"{package}=={version(package)}\0".encode())
    return digest.hexdigest()[:16]


def find(cache):
    """Path of the template that fits, or None."""
    path = cache / f"{fingerprint()}.sqlite3"
    return path if path.is_file() else None


def keep(database, cache):
    """Put a freshly seeded database into the cache; older templates leave it.

    Two stores that are prepared at once may both build it: each writes a file of its
    own and renames it, and the last one wins with the same content. A cache that cannot
    be written only costs time, so its OSError is the caller's to report.
    """
    cache.mkdir(parents=True, exist_ok=True)
    name = f"{fingerprint()}.sqlite3"
    copy_into_place(database, cache / name)
    for old in cache.glob("*.sqlite3"):
        if old.name != name:
            old.unlink(missing_ok=True)


def copy_into_place(source, target):
    """Copy one SQLite file under a temporary name, then rename: never half a database."""
    handle, name = tempfile.mkstemp(prefix=".copy-", dir=target.parent)
    os.close(handle)
    try:
        shutil.copyfile(source, name)
        os.replace(name, target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def settle(database):
    """Fold the write-ahead log into the file, so that the file alone is the database."""
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
