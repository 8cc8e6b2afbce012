"""A second use case, for tests: the power that an invented office building draws in an hour.

It stands for the package that a team writes in the place of `bikeshare`. What is general there is copied, not written anew
(`tests/integration/test_second_use_case.py` says which files); what is here is what another data set changes.
"""
