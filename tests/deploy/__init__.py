"""What `deploy/` holds, checked without a cluster and without Docker; it must not know the pipeline's insides."""
