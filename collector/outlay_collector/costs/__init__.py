"""Costs that are no call's: seats, provisioned throughput, fine-tuning, storage; once, or spread over a period."""
