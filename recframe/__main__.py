"""`python -m recframe`, the same as the command `recframe`."""

from recframe.cli.main import main

main()
