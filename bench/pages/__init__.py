"""How long the dashboard's pages take on a large installation."""
