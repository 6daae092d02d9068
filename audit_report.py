"""Prints a report of pip-audit for `./dev audit`. Exits with 1 if a vulnerability is known, else with 3 if a package was not
checked."""

import json
import sys
from pathlib import Path

packages = json.loads(Path(sys.argv[1]).read_text())["dependencies"]
known = [(package, each) for package in packages for each in package.get("vulns", ())]
for package, each in known:
    fixed = ", ".join(each["fix_versions"]) or "no version yet"
    print(f"  {package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
unchecked = [package["name"] for package in packages if "skip_reason" in package]
print(f"  {len(packages) - len(unchecked)} of {len(packages)} packages checked")
if unchecked:
    # A mirror of the index often has the packages and not their vulnerabilities.
    print(f"  NOT CHECKED, for the database does not know them: {', '.join(unchecked)}")
sys.exit(1 if known else 3 if unchecked else 0)
