"""From a verdict to its end: the runbook of a failure, walked step by step on this machine."""
