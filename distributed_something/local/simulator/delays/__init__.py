"""How soon and how often the simulated AWS answers: what is new, and request rates."""
