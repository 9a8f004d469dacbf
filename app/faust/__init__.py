"""The Faust application of a worker, and what it corrects in Faust; ``README.md`` says which file closes which
defect.
"""
