"""Bad and good releases of a core, behind the real proxy, comparer and steering."""
