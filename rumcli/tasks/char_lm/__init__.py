"""Character-level language modeling: corpus, dataset, task and sampling."""
