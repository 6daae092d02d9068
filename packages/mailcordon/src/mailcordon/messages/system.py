"""What `up`, `down`, `migrate`, `doctor` and the role processes print, and what is wrong with a setting."""
