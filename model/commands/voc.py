"""Former name of ``python -m model.dataset``.

python -m model.voc download --data data
"""

import sys

from model.commands.dataset import Command, main

__all__ = ["Command", "main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], "python -m model.voc"))
