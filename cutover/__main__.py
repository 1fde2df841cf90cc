"""`python -m cutover` is the `banyan` command."""

from cutover.cli import main

main()
