# SPDX-License-Identifier: Apache-2.0
"""All tests of this folder in one process: those that wait for half a minute cost no time of their own.

    python3 tests/programs/all.py [PART_OF_A_NAME]      one file alone: python3 tests/programs/test_serve.py"""
import glob
import importlib
import os

from support import run_all

everything = {}
for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_*.py"))):
    module = importlib.import_module(os.path.basename(path)[:-3])
    for name, value in vars(module).items():
        if name.startswith("test_"):
            assert name not in everything, f"two tests are called {name}"
            everything[name] = value
run_all(everything)
