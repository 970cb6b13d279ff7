"""What several verbs show: each screen is drawn here, from what a command found."""
