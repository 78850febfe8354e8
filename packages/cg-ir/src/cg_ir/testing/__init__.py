"""What tests of cg-ir and of its plugins share: conformance suites, strategies, samples."""
