#!/bin/bash
# Bring CellProfiler's plugins, for USE_PLUGINS; runs once in each container, before its first job.
set -euo pipefail
plugins=${PLUGINS_FOLDER:-/home/ubuntu/plugins}

is_set() { case ${1,,} in '' | false) return 1 ;; esac; }

# The Python that runs CellProfiler: the one its first line names, or else one that lies beside it.
find_python() {
    local program line words python
    program=$(command -v cellprofiler) || { echo "There is no cellprofiler on the PATH." >&2; return 1; }
    program=$(readlink -f "$program")
    line=$(head -n 1 "$program" | tr -d '\0')
    read -r -a words <<<"${line#'#!'} none"
    [ "${words[0]##*/}" != env ] || words=("${words[@]:1}")
    for python in "${words[0]}" "${program%/*}/python3" "${program%/*}/python"; do
        case ${python##*/} in python*) command -v "$python" && return ;; esac
    done
    echo "Nothing tells which Python runs $program, so requirements cannot be installed for it." >&2
    return 1
}

git clone --quiet "${PLUGINS_URL:-https://github.com/CellProfiler/CellProfiler-plugins.git}" "$plugins"
cd "$plugins"
if is_set "${UPDATE_PLUGINS:-}" && is_set "${PLUGINS_COMMIT:-}"; then
    git checkout --quiet "$PLUGINS_COMMIT"
fi
git log -1 --format='Plugins of commit %h: %s'
if is_set "${INSTALL_REQUIREMENTS:-}" && is_set "${REQUIREMENTS:-}"; then
    python=$(find_python)
    "$python" -m pip install --quiet --requirement "$REQUIREMENTS"
fi
