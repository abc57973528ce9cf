"""Health and numbers of the stages for whoever watches them; it must not know how anything is counted."""
