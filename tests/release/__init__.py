"""What a release has to hold before it is one."""
