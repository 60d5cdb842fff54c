"""Is everything ready? What ``clio-nb doctor`` looks at, without changing anything."""
