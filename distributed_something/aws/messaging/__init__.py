"""Queues and topics: SQS and SNS."""
