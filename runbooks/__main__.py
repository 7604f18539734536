"""``python -m runbooks`` is ``ipsec-runbooks``."""

from runbooks.cli import main

main()
