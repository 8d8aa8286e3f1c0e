"""What is installed in a Python environment, read from its files: nothing of it is imported or run.

distributions   packages and versions, and what is no index's     starts   files that run at every start of Python
gaps            what is not told
"""
