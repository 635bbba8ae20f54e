"""Calls in a process of their own, whose memory is limited and measured."""

import json
import subprocess
import sys
import textwrap

from tests.cli.commands import environment

# Above what the imports take. Address space, which includes allocations that are never touched,
# has the larger limit: it only ends what would otherwise take the whole machine.
_MOST_MIB = 100
_MOST_ADDRESSES_MIB = 2000

_PROGRAM = """
import json, resource, sys, time
from rumcli.errors import RumError
{setup}
def usage():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with open("/proc/self/statm") as file:
    addresses = int(file.read().split()[0]) * resource.getpagesize()
limit = addresses + {addresses} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
found = {{}}
for name, call in CALLS.items():
    before, start = usage(), time.process_time()
    try:
        call()
        said = "done"
    except RumError as error:
        said = f"{{type(error).__name__}}: {{error}}"
    except BaseException as error:
        said = f"WRONG {{type(error).__name__}}: {{str(error)[:200]}}"
    found[name] = [said, usage() - before, time.process_time() - start]
print(json.dumps(found))
"""


def outcomes(setup, cwd, most_mib=_MOST_MIB, most_seconds=20):
    """Run the calls of `CALLS`, which `setup` makes, one after the other; return what each said.

    Asserts that each succeeds or refuses, and takes at most `most_mib` of memory and
    `most_seconds` of the processor.
    """
    code = _PROGRAM.format(setup=textwrap.dedent(setup), addresses=_MOST_ADDRESSES_MIB)
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment({"OPENBLAS_NUM_THREADS": "1"}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    found = json.loads(result.stdout)
    for name, (said, mib, seconds) in found.items():
        assert not said.startswith("WRONG"), (name, said)
        assert mib <= most_mib, f"{name} took {mib} MiB"
        assert seconds <= most_seconds, f"{name} took {seconds:.1f} s"
    return {name: said for name, (said, *_) in found.items()}
