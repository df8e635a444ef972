"""One module for each check: a name, and a pure function from facts to a finding."""
