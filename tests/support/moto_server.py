"""moto's server on loopback, on a port that the system chooses. It says the port, and ends with its standard input.

python tests/support/moto_server.py
"""

import logging
import sys

from moto.server import ThreadedMotoServer

if __name__ == "__main__":
    logging.disable()
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()
