"""LEGACY_DB to Django's DATABASES entry."""

from urllib.parse import unquote, urlsplit

_ENGINES = {
    "postgresql": "django.db.backends.postgresql",
    "postgres": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}


def is_sqlite(location):
    """True when `location` is a file path and not a database URL."""
    return "://" not in location


def database_settings(location):
    """Settings for a SQLite path or a postgresql:// or mysql:// URL.

    Raises:
        ValueError: the URL names an engine that the store does not run on.
    """
    if is_sqlite(location):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": location,
            "CONN_MAX_AGE": 300,
            "OPTIONS": {
                # 1. A transaction reads, 2. another one commits, 3. the first wants to
                # write and gets "database is locked" at once, timeout or not. Taking the
                # write lock at BEGIN makes writers queue for `timeout` seconds instead.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
            },
        }
    url = urlsplit(location)
    engine = _ENGINES.get(url.scheme)
    if engine is None:
        raise ValueError(
            f"LEGACY_DB: unknown engine {url.scheme!r}; use a file path, postgresql:// or mysql://"
        )
    if engine.endswith("mysql"):
        _use_pymysql()
    return {
        "ENGINE": engine,
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "CONN_MAX_AGE": 300,
    }


def _use_pymysql():
    """Let Django take PyMySQL for mysqlclient, which needs a compiler to install."""
    try:
        import pymysql
    except ModuleNotFoundError:
        return  # mysqlclient may be there; Django says so if it is not
    pymysql.version_info = (2, 2, 1, "final", 0)
    pymysql.install_as_MySQLdb()
