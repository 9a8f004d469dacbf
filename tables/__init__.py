"""One module a Faust table: its key, its value, its partitions and its single writer."""
