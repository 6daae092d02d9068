"""The edge: everything that touches the world. An adapter imports `core` and the planes, never another adapter."""
