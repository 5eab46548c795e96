"""Sweeps: what becomes of a mode, or of small matrices, over a grid of parameters; in memory, in a store, on a cluster.

axes         the table of parameters; a number, a range or a practice as an axis
grid         every combination, cut into blocks
outcome      what became of a mode, by theory
plan         what is computed, with names, units and configuration
mode_plan    single modes by the lane kernel or JAX; modes_sweep: `lindyn.sweep`
matrix_plan  small matrices with seeds; matrices_sweep: `lindyn.sweep_matrices`
store        the zarr store: block by block, each whole or not
run          block by block, here or (cluster) on dask.distributed
"""
