"""What is passed on: the report, and the data set as a release."""
