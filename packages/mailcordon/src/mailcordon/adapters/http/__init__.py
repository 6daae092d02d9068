"""The REST API. Its modules translate between HTTP and the planes, and decide nothing."""
