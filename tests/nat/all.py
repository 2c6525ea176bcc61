# SPDX-License-Identifier: Apache-2.0
"""All tests of this folder on one internet (topology.py). Needs root, iproute2, nftables, coturn and stun-client.

    python3 tests/nat/all.py [PART_OF_A_NAME]"""
import glob
import importlib
import os

from world import World
from support import run_all

AT_A_TIME = 6  # they wait more than they compute


def main():
    modules = [importlib.import_module(os.path.basename(path)[:-3])
               for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_*.py")))]
    with World() as world:
        servers = (world.start_coturn(), world.start_own_turn(), world.start_own_stun())

        def finish():
            for module in modules:
                if hasattr(module, "report"):
                    module.report()
            world.close_browsers()
            for server in servers:
                server.__exit__()
            world.end()

        everything = {}
        for module in modules:
            everything.update(module.tests(world))
        run_all(everything, AT_A_TIME, finish)


main()
