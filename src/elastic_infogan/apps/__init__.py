"""What a person touches: the command line and its files, tables and pictures."""
