"""The composition root: settings and ports in, services out, and to the handlers by their keys."""
