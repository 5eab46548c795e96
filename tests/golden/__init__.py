"""Golden answers: what every command said and wrote, kept in `answers/`: a change of the code shows what it moves.

cases/         the command lines, by subcommand
run            one case, in a folder of its own and in this process
words, files, reduced    what it said and wrote as lines: times, paths and versions as placeholders, arrays as means
record, shorter          a golden file; what another answer holds too is not written again
compare        texts by line, numbers to 1e-12
regenerate     a script that writes the answers anew and prints what changed; --check only compares

    python -m pytest tests/golden -m slow -n 0
    python tests/golden/regenerate.py --check 'validate-*'
"""
