"""What a machine and its user forbid, whatever a melody asks: ``policy.yaml`` (docs/policy.md)."""
