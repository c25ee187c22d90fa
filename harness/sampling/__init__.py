"""The sampler: a separate process that records raw resource counters of one trial.

Kept empty of imports: the sampler process imports this package and must stay small. Use `harness.sampling.client` to
run a sampler, `harness.sampling.decoding` to read its files, `harness.sampling.cgroups` for the trial's cgroup.
"""
