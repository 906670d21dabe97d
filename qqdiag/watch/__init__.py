"""The flight recorder: watch a gateway, keep the evidence of a failure, and only then let it be restarted."""
