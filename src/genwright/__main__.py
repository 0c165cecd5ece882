"""`python -m genwright`, as torchrun calls it."""

from genwright.cli.main import main

main()
