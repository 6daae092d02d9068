"""Small services of the operating system that several layers share: private files, and child processes that end with us."""
