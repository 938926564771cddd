"""What a model does to each group of people, and which gaps chance does not explain."""
