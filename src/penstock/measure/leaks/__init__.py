"""What tells the label before its time: columns, pairs of columns, rows on both sides."""
