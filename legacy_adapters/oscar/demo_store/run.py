"""The demo's legacy store: a real django-oscar shop as a process of its own.

    python -m legacy_adapters.oscar.demo_store.run prepare --dir var/legacy
    python -m legacy_adapters.oscar.demo_store.run serve --dir var/legacy --listen 127.0.0.1:8083

Progress and results are lines on stdout; an error is one line on stderr and exit status 1.
`serve` becomes the gunicorn master: SIGTERM ends it and its workers, and workers whose
master was killed end by themselves within a second.
"""

import argparse
import os
import secrets
import socket
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
_NEEDED = ("django-oscar", "django-oscar-api", "gunicorn", "pycountry")


class StoreError(Exception):
    """One line for the person who started the store."""


def main(argv=None):
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        _require_packages()
        options.run(options)
    except StoreError as error:
        print(f"demo store: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m legacy_adapters.oscar.demo_store.run",
        description="The demo's legacy store: django-oscar with 201 real books.",
    )
    commands = parser.add_subparsers(required=True, metavar="prepare | serve")
    prepare = commands.add_parser("prepare", help="migrate and seed the database (repeatable)")
    prepare.set_defaults(run=_prepare)
    serve = commands.add_parser("serve", help="answer requests until SIGTERM")
    serve.set_defaults(run=_serve)
    for command in (prepare, serve):
        command.add_argument("--dir", type=Path, required=True, help="folder of this store")
    prepare.add_argument("--cache", type=Path, help="folder of ready-made databases")
    prepare.add_argument("--no-cache", action="store_true", help="always migrate and seed")
    serve.add_argument("--listen", default="127.0.0.1:8083", help="host:port; port 0 picks one")
    serve.add_argument("--workers", type=int, default=2, help="processes")
    serve.add_argument("--threads", type=int, default=4, help="threads per process")
    return parser


def _require_packages():
    for package in _NEEDED:
        try:
            version(package)
        except PackageNotFoundError:
            raise StoreError(
                f"{package} is not installed; run: pip install 'banyan-migration[demo-store]'"
            ) from None


# --- prepare -------------------------------------------------------------------------------


def _prepare(options):
    started_s = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - started_s:5.1f} s] {text}", flush=True)

    folder = _folder(options.dir)
    location = _location(folder)
    _configure(folder, location)
    import template

    if "://" in location:
        _migrate_and_seed(say)
    else:
        cache = None if options.no_cache else (options.cache or template.default_cache())
        _prepare_sqlite(Path(location), cache, say)
    print(f"database: {_without_password(location)}", flush=True)


def _prepare_sqlite(database, cache, say):
    import template

    stamp = database.with_suffix(".seed")
    wanted = template.fingerprint()
    if database.is_file() and stamp.is_file() and stamp.read_text().strip() == wanted:
        say("store already prepared")
        return
    ready = None if cache is None or database.is_file() else template.find(cache)
    if ready is not None:
        template.copy_into_place(ready, database)
        say(f"store copied from {ready}")
    else:
        fresh = not database.is_file()
        _migrate_and_seed(say)
        if fresh and cache is not None:
            template.settle(database)
            try:
                template.keep(database, cache)
            except OSError as error:
                say(f"not kept for the next time: {error}")
    stamp.write_text(f"{wanted}\n")


def _migrate_and_seed(say):
    import django
    from django.core.management import call_command
    from django.db import Error, connections

    try:
        say("preparing the shop's tables (about 10 s, once)")
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        say("tables ready")
        from seed import seed

        seed(say)
    except Error as error:
        raise StoreError(f"the database refused: {str(error).splitlines()[0]}") from error
    except django.core.exceptions.ImproperlyConfigured as error:
        raise StoreError(str(error).splitlines()[0]) from error
    finally:
        connections.close_all()


# --- serve ---------------------------------------------------------------------------------


def _serve(options):
    folder = _folder(options.dir)
    location = _location(folder)
    if "://" not in location and not Path(location).is_file():
        raise StoreError(f"nothing prepared in {folder}; run `prepare --dir {folder}` first")
    _configure(folder, location)
    listener = _listener(options.listen)
    host, port = listener.getsockname()[:2]
    print(f"listening on http://{host}:{port}", flush=True)
    # gunicorn gets the open socket, so that the port cannot be lost in between.
    listener.set_inheritable(True)
    os.execv(
        sys.executable,
        [
            sys.executable,
            *("-W", "ignore", "-m", "gunicorn"),
            *("--config", str(HERE / "gunicorn_conf.py")),
            *("--bind", f"fd://{listener.fileno()}"),
            *("--workers", str(options.workers), "--threads", str(options.threads)),
            *("--chdir", str(HERE), "wsgi:application"),
        ],
    )


def _listener(address):
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdigit() or not host:
        raise StoreError(f"--listen {address}: expected host:port")
    try:
        family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"cannot listen on {address}: {reason}") from None
    return listener


# --- both ----------------------------------------------------------------------------------


def _folder(path):
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return path.resolve()


def _location(folder):
    """LEGACY_DB, or the store's own SQLite file."""
    location = os.environ.get("LEGACY_DB") or str(folder / "oscar.sqlite3")
    return location if "://" in location else str(Path(location).resolve())


def _without_password(location):
    """The location as it may be shown."""
    scheme, slashes, rest = location.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if slashes else location


def _configure(folder, location):
    """Hand the settings to Django, in this process and in gunicorn's."""
    warnings.simplefilter("ignore")
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    from database import database_settings

    try:
        database_settings(location)
    except ValueError as error:
        raise StoreError(str(error)) from None
    os.environ["LEGACY_DB"] = location
    os.environ.setdefault("LEGACY_MEDIA", str(folder / "media"))
    os.environ.setdefault("LEGACY_SECRET", _secret(folder / "secret.key"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"


def _secret(path):
    """The store's secret key, made once; sessions survive a restart with it."""
    if not path.exists():
        # Written whole under another name first: a key that was cut short by a kill would
        # be an empty one for ever. Of two who make it at once, the first link wins.
        draft = path.with_name(f".{path.name}-{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as key:
            key.write(f"{secrets.token_urlsafe(48)}\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


if __name__ == "__main__":
    sys.exit(main())
