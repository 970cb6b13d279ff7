"""Make once for an account what all its runs share: roles, and a Lambda that can watch a run.

Safe to repeat, also after an upstream `setup_AWS.py`; `destroy` removes what this made, and no
more. Buckets, region and profile are those of config.py. Runs themselves: `python run.py`.

Example: python setup_AWS.py --bucket your-bucket-name
"""

import sys
from pathlib import Path

from distributed_something.cli.missing_package import advice

try:
    from distributed_something.cli.verbs.setup_account import main
except ModuleNotFoundError as missing:
    sys.exit(advice(missing.name or "A package", Path(__file__)))

if __name__ == "__main__":
    sys.exit(main(__doc__ or ""))
