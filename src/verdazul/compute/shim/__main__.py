"""Where a shim starts: `python -I -S .../shim/__main__.py SPEC`.

Isolated as it is, the interpreter does not know where verdazul lies; this file does. The place is
searched last, so that nothing installed beside verdazul is taken for a standard module, and only
here: a shim has all it needs before its process starts, and lives on when its package is replaced.
This file is compiled at each start, the others once; so it stays short.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.append(__file__.rpartition("/verdazul/")[0])
    from verdazul.compute.shim.supervisor import main

    sys.path.pop()
    os._exit(main())
