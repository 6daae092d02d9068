"""`python -m real_clients.programs NAME`: runs one program on the JSON of its standard input."""

import importlib
import json
import sys

importlib.import_module(f"real_clients.programs.{sys.argv[1]}").send(json.load(sys.stdin))
