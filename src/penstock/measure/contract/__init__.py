"""What a contract may expect of a column, and its row rules held against rows."""
