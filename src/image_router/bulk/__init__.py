"""Long work: tables of products, chains at scale, the Batch API; durable, on one machine or many."""
