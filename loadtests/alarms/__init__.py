"""Plants faults under load and watches a real Prometheus and Alertmanager: the right alert fires, and is resolved."""
