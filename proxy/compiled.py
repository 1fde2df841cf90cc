"""The hot modules of the data plane, compiled with mypyc where that was done.

    python -m proxy.compiled            compile into this environment
    python -m proxy.compiled --check    say whether a fresh build is there

The sources stay what they are: plain typed Python that runs as it is. Compiled, the same
sources cost about a third less CPU per request. A build is bound to the bytes of its
sources by their hashes: one changed byte, and the sources run.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from typing_extensions import override

# No module whose msgspec.Struct is packed or unpacked: mypyc drops the keywords of a class
# (`array_like`) and the unions of its fields, and what was packed so cannot be read again.
MODULES = (
    "proxy.core.answer",
    "proxy.core.breaker",
    "proxy.core.fields",
    "proxy.core.framing",
    "proxy.core.head",
    "proxy.core.json_values",
    "proxy.core.marks",
    "proxy.core.memo",
    "proxy.core.names",
    "proxy.core.plain",
    "proxy.core.redaction",
    "proxy.core.sensitive",
    "proxy.core.store_head",
    "proxy.core.shapes",
    "proxy.edge.capture",
    "proxy.edge.captured",
    "proxy.edge.choice",
    "proxy.edge.client",
    "proxy.edge.context",
    "proxy.edge.counters",
    "proxy.edge.exchange",
    "proxy.edge.mirror",
    "proxy.edge.placing",
    "proxy.edge.pool",
    "proxy.edge.rules",
    "proxy.edge.store",
    "proxy.routing.choose",
    "proxy.routing.conditions",
    "proxy.routing.decide",
    "proxy.routing.decision",
    "proxy.routing.matcher",
    "proxy.routing.plans",
    "proxy.routing.stay",
    "proxy.routing.table",
    "proxy.storage.writer",
)
_HOME = Path(__file__).parents[1]
_MANIFEST = "manifest.json"
_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify(sys.argv.pop().split(","), opt_level="3", debug_level="0")
setup(name="banyan-compiled", packages=[], ext_modules=modules)
"""


def directory() -> Path:
    """Where the build of this environment is."""
    return Path(sysconfig.get_path("platlib")) / "_banyan_compiled"


def is_fresh(where: Path) -> bool:
    """Whether there is a build, made by this interpreter from the sources as they are."""
    try:
        manifest = json.loads((where / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(manifest == _manifest())


def enable(where: Path | None = None) -> bool:
    """Let the imports that follow find the build. Call it before any module is imported.

    Returns:
        False when there is no fresh build: then the sources run.
    """
    where = where or directory()
    if not is_fresh(where):
        return False
    sys.path.append(str(where))  # for the library that all of them share
    sys.meta_path.insert(0, _Finder(where))
    return True


def is_enabled() -> bool:
    """Whether this process takes its hot modules from a build."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


class _Finder(MetaPathFinder):
    """Finds the compiled modules before the sources are looked for."""

    def __init__(self, where: Path) -> None:
        self._files = {
            name: next((where / name.replace(".", "/")).parent.glob(f"{name.split('.')[-1]}.*.so"))
            for name in MODULES
        }

    @override
    def find_spec(
        self, fullname: str, path: object, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self._files.get(fullname)
        if file is None:
            return None
        return importlib.util.spec_from_file_location(fullname, file)


def build(where: Path) -> None:
    """Compile the modules; what was there before is replaced whole.

    Raises:
        subprocess.CalledProcessError: the compiler failed; its output was printed.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copytree(
            _HOME / "proxy", work / "proxy", ignore=shutil.ignore_patterns("__pycache__", "*.so")
        )
        (work / "setup.py").write_text(_SETUP, encoding="utf-8")
        files = ",".join(f"{module.replace('.', '/')}.py" for module in MODULES)
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", files],
            cwd=work,
            env={**os.environ, "MYPYPATH": str(work)},  # noqa: TID251 - the compiler's own needs
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(done.stdout.decode(errors="replace"))
            done.check_returncode()
        fresh = where.with_name(f"{where.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for file in (*work.glob("*.so"), *work.glob("proxy/**/*.so")):
            target = fresh / file.relative_to(work)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        (fresh / _MANIFEST).write_text(json.dumps(_manifest()), encoding="utf-8")
        shutil.rmtree(where, ignore_errors=True)
        fresh.rename(where)


def _manifest() -> dict[str, str]:
    sources = {
        name: hashlib.sha256((_HOME / f"{name.replace('.', '/')}.py").read_bytes()).hexdigest()
        for name in MODULES
    }
    return {"interpreter": sys.version, **sources}


def main() -> int:
    """Compile unless a fresh build is there. Exits with 1 when there is none in the end."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m proxy.compiled")
    parser.add_argument("--check", action="store_true", help="compile nothing")
    options = parser.parse_args()
    where = directory()
    if is_fresh(where):
        print(f"The data plane is compiled in {where}.")  # noqa: T201 - a command
        return 0
    if options.check:
        print("The data plane runs from its sources.")  # noqa: T201 - a command
        return 1
    if importlib.util.find_spec("mypyc") is None or importlib.util.find_spec("setuptools") is None:
        print(  # noqa: T201 - a command
            "mypyc and setuptools are needed: pip install 'banyan-migration[compiled]'",
            file=sys.stderr,
        )
        return 1
    try:
        build(where)
    except (OSError, subprocess.CalledProcessError) as exc:
        print(f"Compiling failed, so the sources run: {exc}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"Compiled {len(MODULES)} modules into {where}.")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
