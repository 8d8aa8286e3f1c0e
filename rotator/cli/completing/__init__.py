"""Scripts that let a shell complete our words: written from the parser, so that they know what it knows.

words  what there is to complete   bash, zsh, fish  a script each
"""
