"""Load tests with Locust: journeys of users, shapes of load, an exact ledger and a report at the end of each run.

    make load SHAPE=spike HOST=http://127.0.0.1:8080

Modules that import ``locust`` are ``locustfile`` and ``journeys``: Locust patches the standard library for gevent.
"""
