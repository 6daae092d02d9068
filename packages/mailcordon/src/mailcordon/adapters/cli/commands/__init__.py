"""The commands that call the server, one module for each command or group."""
