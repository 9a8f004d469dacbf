"""``python -m chat4all`` is the command ``chat4all``."""

from chat4all.cli.main import main

if __name__ == "__main__":
    main(prog_name="chat4all")
