"""What the columns of a table are: how they are read, what they hold, what they are for.

Above the modalities, which are asked whose a column is; below the stages that ask.
"""
