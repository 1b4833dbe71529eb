"""One pass over many pictures: what `exemplars`, `usage` and `scan` have in common.

`top` keeps the strongest pictures of each channel, `sums` what usage is worked out from, `state`
both for all layers; `scanner` goes through the pictures, `checkpoint` keeps a state in a file,
`workers` shares the pictures out to processes.
"""
