"""Adds up the JUnit files of a directory and prints `N passed, N failed`.

The programs write them: gtest (one file a program), ctest (--output-junit: one case a program, of use
for programs that write no file of their own, or ended before they could), pytest and the drivers'
runner. A directory's subdirectories are the stages; a stage that has failed (its file `status` is not
0) without a failed case counts as one failure, one that has run no case as one case.
"""

import pathlib
import sys
import xml.etree.ElementTree


def count(path: pathlib.Path):
    """(passed, names of failed cases) of one file."""
    passed = 0
    failed = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        tags = {child.tag for child in case}
        name = f"{case.get('classname', path.stem)}.{case.get('name')}"
        if tags & {"failure", "error"} or case.get("status") == "fail":
            failed.append(name)
        elif "skipped" not in tags and case.get("status", "run") != "notrun":
            passed += 1
    return passed, failed


def count_programs(path: pathlib.Path, counted: set):
    """Of ctest's file: the programs without a file of their own, and those that died with one."""
    passed = 0
    failed = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name")
        if case.get("status") == "run":
            passed += name not in counted
        elif name not in counted:
            failed.append(name)
    return passed, failed


def count_stage(directory: pathlib.Path):
    passed = 0
    failed = []
    files = [path for path in directory.glob("*.xml") if path.name != "ctest.xml"]
    for path in files:
        try:
            counts = count(path)
        except xml.etree.ElementTree.ParseError:
            counts = (0, [f"{path.name} (incomplete)"])
        passed += counts[0]
        failed += counts[1]
    programs = directory / "ctest.xml"
    if programs.exists():
        counts = count_programs(programs, {path.stem for path in files})
        passed += counts[0]
        failed += counts[1]
    status = directory / "status"
    if not status.exists() or status.read_text().strip() != "0":
        failed = failed or [directory.name]
    elif not files and not programs.exists():
        passed += 1
    return passed, failed


def main():
    passed = 0
    failed = []
    for directory in sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_dir()):
        counts = count_stage(directory)
        print(f"{directory.name:12} {counts[0]:6} passed, {len(counts[1])} failed")
        passed += counts[0]
        failed += [f"{directory.name}: {name}" for name in counts[1]]
    for name in failed:
        print(f"FAILED {name}")
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


main()
