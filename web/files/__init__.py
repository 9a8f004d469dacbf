"""Complete files: registry, downloads, links, the throttle of transfers."""
