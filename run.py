"""Run any Docker image over many inputs on AWS spot machines.
usage: python run.py VERB [options]           settings: config.py

A run, in order
  setup                    create queue, cluster, task, service
  submitJob JOBS.json      queue one job per group       [--dry-run]
  startCluster FLEET.json  buy machines; shows the price [--yes]
  monitor [FILE]           watch, then remove everything [--cheapest]
  run JOBS FLEET           all four of these             [--yes]
Before
  init DIR                 a config and a job file from a few answers
  build --base IMAGE       add the worker to your tool   [--push]
  rehearse JOBS.json       the same run on this computer [--jobs 5] [--serve]
  check [JOBS] [FLEET]     what is missing, and the fix  [--offline]
  upload DIR               your files to the bucket      [--dry-run]
During and after
  status                   progress, money, why stalled  [--watch]
  logs [JOB]               what a job printed            [--failed]
  retry [NAMES]            queue unfinished jobs again   [--reason TEXT]
  download [DIR]           download the results          [--only GLOB]
  report                   one HTML page: times, failures, cost
  cancel                   stop, remove everything       [--list]
More: runs, completion, VERB --help           exit: 0 done, 1 failed, 2 wrong usage
"""

import sys
from pathlib import Path

from distributed_something.cli.missing_package import advice

try:
    from distributed_something.cli.app import main
except ModuleNotFoundError as missing:
    sys.exit(advice(missing.name or "A package", Path(__file__)))

if __name__ == "__main__":
    sys.exit(main(__doc__ or ""))
