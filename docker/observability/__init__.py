"""Prometheus, Alertmanager and Grafana from one description: ``python -m docker.observability`` writes their files.

``alerts.py`` and ``dashboards.py`` are the description. A test holds the files to it, and every metric that it names to
the product's code, so a metric that gets another name breaks a test and not an alert at night.
"""
