"""Kubernetes with kustomize, from one description: ``python -m docker.kubernetes`` writes ``base/`` and ``overlays/``.

The roles differ in a name only, so they are made and not copied. A test holds the files to the description and to the
published schemas of Kubernetes.
"""
