# Bash reads this before each command: start in the code's folder, and keep the results in any case.
unset BASH_ENV  # scripts that the command starts are not commands of ours

# The code is a copy of this job's own, which it may change.
cp -r "$CODE" "$WORK_DIR/code"
for folder in "${CODE%/*}"/*/; do  # further folders of the bucket are its neighbours, as they were
    folder=${folder%/}
    [ -e "$WORK_DIR/${folder##*/}" ] || ln -s "$folder" "$WORK_DIR"
done
cd "$WORK_DIR/code" || exit
mkdir -p logs

keep_results() {
    local path
    for path in $RESULTS; do  # patterns are meant to be filled in
        [ ! -e "$path" ] || cp -r --parents "$path" "$OUTPUT_DIR"
    done
}
trap keep_results EXIT
