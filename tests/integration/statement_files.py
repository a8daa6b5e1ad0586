"""Reads the statement files: statements end with ';' at the end of a line; '--' lines are comments."""

import pathlib

DIRECTORY = pathlib.Path(__file__).resolve().parent / "statements"


def statements(name: str) -> list:
    lines = [line for line in (DIRECTORY / f"{name}.sql").read_text().splitlines()
             if not line.startswith("--")]
    return [part.strip() for part in ("\n".join(lines) + "\n").split(";\n") if part.strip()]
