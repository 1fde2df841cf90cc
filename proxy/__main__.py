"""`python -m proxy`: the proxy without the rest of the house."""

import typer

from proxy.cli import serve

if __name__ == "__main__":
    typer.run(serve)
