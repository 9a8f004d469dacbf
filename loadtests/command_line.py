"""The parser with which each program of this folder begins."""

from __future__ import annotations

import argparse


def parser_of(program: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser for ``python -m program``; the first line of its module's docstring describes it."""
    return argparse.ArgumentParser(prog=f"python -m {program}", description=(about or "").partition("\n")[0])
