"""What an account holds beyond runs: roles, rights, the Lambda and its schedules."""
