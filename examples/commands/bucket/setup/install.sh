#!/bin/bash
# Runs once in each container, before its first command: install here what the image does not have.
set -euo pipefail
mkdir -p /tmp/solver
echo "capacity = 1000" > /tmp/solver/settings.txt
echo "The solver is set up."
