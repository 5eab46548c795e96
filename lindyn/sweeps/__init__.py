"""Sweeps: what becomes of a mode, or of small matrices, over a grid of parameters; in memory, in a store, on a cluster.

axes            the table of parameters; a number, a range or a practice as an axis; every combination, cut into blocks
outcome         what became of a mode, by theory, and theory's boundaries
plan            what is computed, with names, units and configuration
modes_sweep     `lindyn.sweep`: single modes by the lane kernel or JAX
matrices_sweep  `lindyn.sweep_matrices`: small matrices with seeds
descent_sweep   `lindyn.sweep_descent`: finite steps of deep models (descent_parameters, _kernel, _reading, _text)
store           the zarr store: block by block, each whole or not, with checksums
store_record    what a store says about itself
zarr_files      its files as bytes
execution       block by block, here or on dask.distributed
sweep_text      what a sweep says, in words
"""
