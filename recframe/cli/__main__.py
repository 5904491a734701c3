"""`python -m recframe.cli`."""

from recframe.cli.main import main

main()
