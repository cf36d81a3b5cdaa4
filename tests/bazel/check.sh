#!/bin/bash
# Checks BUILD without a network: every source has a target, every dependency
# exists and is in requirements_lock.txt, and one test passes under Bazel.
#
#   tests/bazel/check.sh [//:specs_test]
#
# Uses Debian's Bazel 4, with small stubs in place of the rules and packages it
# would download, and the Python at $PYTHON (.venv/bin/python). With a newer
# Bazel and a network none of this is needed: bazel test //...
set -euo pipefail

die() {
  echo "check.sh: $*" >&2
  exit 1
}

cd "$(dirname "$0")/../.."
test_target=${1:-//:specs_test}

command -v bazel >/dev/null \
  || die "No bazel here. Install it: apt-get install bazel-bootstrap"
case "$(bazel --version)" in
  "bazel no_version"* | "bazel 4."*) ;;  # Debian's calls itself no_version.
  *) die "The stubs suit Bazel 4 (apt-get install bazel-bootstrap)." \
    "Received: $(bazel --version). With a network, run: bazel test //..." ;;
esac
python=$(command -v "${PYTHON:-.venv/bin/python}") \
  || die "No Python at ${PYTHON:-.venv/bin/python}. Set PYTHON to one that" \
    "has this project's packages and pytest."
PATH=$(cd "$(dirname "$python")" && pwd):$PATH
[ -f requirements_lock.txt ] || die "No requirements_lock.txt, which" \
  "MODULE.bazel reads."

work=$(mktemp -d)
copy=$work/copy
stub=$work/stub

run_bazel() {
  (cd "$copy" && bazel --nohome_rc \
    --output_user_root="$work/bazel" --host_jvm_args=-Xmx512m \
    --max_idle_secs=60 "$@")
}

cleanup() {
  status=$?
  trap - EXIT INT TERM
  [ ! -d "$work/bazel" ] || run_bazel shutdown >/dev/null 2>&1 || true
  chmod -R u+w "$work"  # Bazel write-protects what it makes.
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Files that git does not ignore. A deleted one is listed until it is committed.
mkdir "$copy"
git ls-files -z --cached --others --exclude-standard \
  | while IFS= read -r -d "" file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
  done | xargs -0 cp --parents --target-directory="$copy"
touch "$copy/WORKSPACE"  # Bazel 4 requires one; Bazel 8 and later has none.

# The stubs have no BUILD files in the repository, where //... would find them.
cp -r tests/bazel/stub "$stub"
find "$stub" -name defs.bzl -execdir touch BUILD ";"
mkdir "$stub/pypi" "$stub/remote_coverage_tools"
printf 'filegroup(name = "%s", visibility = ["//visibility:public"])\n' \
  coverage_report_generator >"$stub/remote_coverage_tools/BUILD"
sed -nE 's/^([A-Za-z0-9][A-Za-z0-9._-]*).*/\1/p' \
  "$copy/requirements_lock.txt" \
  | tr 'A-Z.-' 'a-z__' \
  | while read -r package; do
    mkdir -p "$stub/pypi/$package"
    printf 'py_library(name = "%s", visibility = ["//visibility:public"])\n' \
      "$package" >"$stub/pypi/$package/BUILD"
  done
# Nothing is compiled, but Bazel 4 insists on finding a C compiler.
CC=$(type -P true)
export CC
options=(--noshow_progress --ui_event_filters=-debug)
# Bazel 8 refuses empty globs that do not say allow_empty.
options+=(--incompatible_disallow_empty_glob)
for repository in "$stub"/*; do
  touch "$repository/WORKSPACE"
  options+=(--override_repository="$(basename "$repository")=$repository")
done

# require_all EXPECTED QUERY: each file of the sorted list is in the answer.
require_all() {
  local missing
  run_bazel query "${options[@]}" "$2" | sed 's|^//:||' | sort >"$work/found"
  missing=$(comm -23 "$1" "$work/found")
  [ -z "$missing" ] || die "BUILD has no target for:" $missing
}

cd "$copy"
run_bazel query "${options[@]}" //...
find keras_resnet -name '*.py' | sort >"$work/sources"
require_all "$work/sources" "labels(srcs, deps(//:keras_resnet))"
find pipelines -maxdepth 1 -name '[!_]*.py' | sort >"$work/programs"
require_all "$work/programs" "labels(srcs, kind(py_binary, //...))"
find tests -name '*_test.py' | sort >"$work/tests"
require_all "$work/tests" "labels(srcs, kind(py_test, //...))"
options+=(--action_env=PATH --test_env=PATH --nosandbox_debug)
run_bazel build --nobuild "${options[@]}" //...
run_bazel test "${options[@]}" --jobs=1 --nocache_test_results \
  --test_output=errors "$test_target"
echo "check.sh: BUILD is sound and $test_target passes"
