"""Pictures: every function takes data and Axes and never solves.

style        sizes, colours, markers; a new figure; writing one
phase_plane  flow lines, nullclines, fixed points by stability, direction fields, phase lines
phase_portrait, phase_diagram    portrait, edge of collapse; bifurcation, two-parameter and basin pictures
over_time    families of curves over time, with their spread
trajectory   the picture of one run
images       which directions of image data survive
"""
