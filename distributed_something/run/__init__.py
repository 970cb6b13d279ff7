"""What is known and decided about one run: machines, money, scaling, causes; pure."""
