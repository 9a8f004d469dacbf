"""The limit beside which our figures stand: the same work by the bare libraries, measured in the same sitting."""
