"""Inside the sandbox: what starts ``python_node`` for one call.

Python keeps compiled what it imports, never the script it is given: this one is short.
"""

import sys

folder = __file__.rpartition("/")[0]
sys.path.insert(0, folder)
import python_node  # type: ignore[import-not-found]  # noqa: E402  # found where this file is shown

# An extension may have a module of the same name.
sys.path.remove(folder)
del sys.modules["python_node"]
python_node.start(*sys.argv[1:4])
