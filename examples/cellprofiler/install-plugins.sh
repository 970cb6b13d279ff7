#!/bin/bash
# Bring CellProfiler's plugins, for USE_PLUGINS; runs once in each container, before its first job.
set -euo pipefail
plugins=${PLUGINS_FOLDER:-/home/ubuntu/plugins}

is_set() { case ${1,,} in '' | false) return 1 ;; esac; }

git clone --quiet "${PLUGINS_URL:-https://github.com/CellProfiler/CellProfiler-plugins.git}" "$plugins"
cd "$plugins"
if is_set "${UPDATE_PLUGINS:-}" && is_set "${PLUGINS_COMMIT:-}"; then
    git checkout --quiet "$PLUGINS_COMMIT"
fi
git log -1 --format='Plugins of commit %h: %s'
if is_set "${INSTALL_REQUIREMENTS:-}" && is_set "${REQUIREMENTS:-}"; then
    /opt/cellprofiler/venv/bin/pip install --quiet --requirement "$REQUIREMENTS"
fi
