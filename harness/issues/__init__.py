"""One test for each bug that other libraries of this kind had, named by project and number."""
