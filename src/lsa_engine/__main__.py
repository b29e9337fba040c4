"""``python -m lsa_engine`` is the ``lsa`` command."""

from __future__ import annotations

import sys

from lsa_engine.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
