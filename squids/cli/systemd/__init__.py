"""`squids-supervisor systemd`: units for this installation."""
