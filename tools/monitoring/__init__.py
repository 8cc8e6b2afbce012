"""Monitoring outside a cluster: the manifests' own rules and routes in a plain Prometheus and Alertmanager, and the dashboards as code."""
