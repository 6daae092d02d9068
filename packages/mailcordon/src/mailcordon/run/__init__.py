"""Running the system on one machine: the supervisor behind `mailcordon up`, and the frame around each role process."""
