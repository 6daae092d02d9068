"""The command line. `app.build` makes it; `report.run` is the outermost boundary of every process."""
