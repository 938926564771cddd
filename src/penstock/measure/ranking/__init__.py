"""Lists of items for users: what they are worth, what they show, what simpler ones are."""
