"""`python -m cktrack` is `cktrack`."""

from cktrack.cli import main

main()
