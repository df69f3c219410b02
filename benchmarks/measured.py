"""Runs a command to its end and prints, as JSON, the CPU that it and all below it used.

`python measured.py COMMAND...`. It is a child subreaper, so that processes which outlive their parent
are waited for, and counted, too.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    status = process.wait()
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"status": status, "cpu": usage.ru_utime + usage.ru_stime}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
