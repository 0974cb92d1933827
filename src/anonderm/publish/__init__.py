"""What leaves the house: the report that people read, and the data set that others may use."""
