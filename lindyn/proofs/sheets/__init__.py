"""The statements, a sheet for each subject; `lindyn.proofs.catalogue` has them all, in the order of the papers."""
