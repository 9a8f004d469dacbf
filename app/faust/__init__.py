"""The Faust application of a worker and its corrections of Faust. ``README.md`` lists the defect closed by each
file.
"""
