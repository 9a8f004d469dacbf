"""Writes the files of the description beside it."""

from __future__ import annotations

from pathlib import Path

from docker.kubernetes.files import files

HERE = Path(__file__).parent

if __name__ == "__main__":
    for name, text in files().items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(HERE.parents[1]))
