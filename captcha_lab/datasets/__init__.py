"""One module per dataset, behind one interface."""
